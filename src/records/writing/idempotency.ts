/** Idempotency keys: the first and last step of a program, so that a retried write finds the first one's answer in the same transaction. */
import { createHash } from 'node:crypto'
import { fail } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import { quoted } from '../../storage/identifier.ts'
import type { PlannedStep, Written } from './outcome.ts'

/** Longest Idempotency-Key in characters. */
const keyCharactersMax = 255

export interface IdempotencyKey {
  readonly key: string
  /** Whose key it is: two callers may use the same. */
  readonly owner: string
  /** Of all that makes the request what it is: a key belongs to one request. */
  readonly requestHash: string
}

/** A stored answer: transaction number and the texts that the answer is formed from. */
export interface StoredAnswer {
  readonly txn: number
  readonly rows: readonly (readonly (readonly unknown[])[])[]
}

/** The key of a request, or null without the header. `parts` are method, path and body. Refuses `bad_request`. */
export function idempotencyKey(header: string | null, principal: Principal, parts: readonly (string | Uint8Array)[]): IdempotencyKey | null {
  if (header === null) return null
  if (header === '' || header.length > keyCharactersMax) fail('bad_request', { detail: `Idempotency-Key has 1 to ${keyCharactersMax} characters` })
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return { key: header, owner: ownerOf(principal), requestHash: hash.digest('base64url') }
}

/** Stops the program at the answer of an earlier request with this key. */
export function replayStep(database: string, key: IdempotencyKey): PlannedStep {
  const sql = `SELECT request_hash, answer FROM ${quoted(database)}._idempotency WHERE key = ?1 AND principal = ?2`
  return { purpose: 'answer', step: { kind: 'stopAt', sql, params: [key.key, key.owner] } }
}

/** Stores the answer: the rows that the steps at `rowsOf` gave. */
export function storeStep(database: string, key: IdempotencyKey, rowsOf: readonly number[], nowMs: number): PlannedStep {
  const name = quoted(database)
  const sql =
    `INSERT INTO ${name}._idempotency (key, principal, request_hash, answer, created) ` +
    `VALUES (?1, ?2, ?3, json_object('txn', (SELECT n FROM ${name}._txn), 'rows', json(?4)), ?5)`
  return { purpose: 'answer', step: { kind: 'run', atLeast: 1, sql, params: [key.key, key.owner, key.requestHash, { rowsOf }, BigInt(Math.floor(nowMs / 1000))] } }
}

/** The earlier answer when the program stopped at it. Refuses `idempotency_key_reused` when it belongs to another request. */
export function replayedAnswer(result: Written, key: IdempotencyKey): StoredAnswer | null {
  if (result.stoppedAt === null) return null
  const row: SqlRow | undefined = result.rows[result.stoppedAt]?.[0]
  if (row === undefined || row[0] !== key.requestHash) fail('idempotency_key_reused', { detail: 'This Idempotency-Key belongs to another request' })
  return JSON.parse(String(row[1])) as StoredAnswer
}

/** A row of a stored answer: integers are text, blobs hex. */
export function storedRow(row: readonly unknown[]): SqlRow {
  return row.map(value => {
    if (typeof value === 'object' && value !== null && 'hex' in value) return Uint8Array.fromHex(String(value.hex))
    return value === null || value === undefined ? null : String(value)
  })
}

function ownerOf(principal: Principal): string {
  return principal.kind === 'user' ? `user ${principal.issuer} ${principal.subject}` : principal.kind
}
