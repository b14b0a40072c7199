/** SQL about sessions and authorization codes (`session.db`); decides nothing. What is presented as a secret is stored as its digest only. */
import type { SqlRow } from '../../lib/sql-value.ts'
import { run, written, type AccountDatabase } from './database.ts'

/** Sessions that one user may have; of more the oldest end. */
export const sessionsPerUserMax = 1000

export interface StoredCode {
  readonly userId: Uint8Array
  readonly challenge: string | null
}

export class SessionStore {
  readonly #database: AccountDatabase

  constructor(database: AccountDatabase) {
    this.#database = database
  }

  async insert(userId: Uint8Array, refreshToken: string, nowSecs: number, expiresSecs: number): Promise<void> {
    await written(
      this.#database,
      'session',
      run('DELETE FROM session._session WHERE user = ?1 AND expires <= ?2', userId, BigInt(nowSecs)),
      run('INSERT INTO session._session (user, refresh_token, created, expires) VALUES (?1, ?2, ?3, ?4)', userId, digestOf(refreshToken), BigInt(nowSecs), BigInt(expiresSecs)),
      run('DELETE FROM session._session WHERE id IN (SELECT id FROM session._session WHERE user = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)', userId, BigInt(sessionsPerUserMax)),
    )
  }

  /** Whose session it is; null when there is none that has not expired. */
  userOf(refreshToken: string, nowSecs: number): Uint8Array | null {
    // A depot that TrailBase began holds tokens as they are. A digest is never presented: nobody's token has its form.
    const sql = 'SELECT user FROM session._session WHERE refresh_token IN (?1, ?2) AND expires > ?3'
    return idOf(this.#database.readNow('session', sql, [digestOf(refreshToken), refreshToken, BigInt(nowSecs)])[0])
  }

  async end(refreshToken: string): Promise<void> {
    await written(this.#database, 'session', run('DELETE FROM session._session WHERE refresh_token IN (?1, ?2)', digestOf(refreshToken), refreshToken))
  }

  async endAll(userId: Uint8Array): Promise<void> {
    await written(this.#database, 'session', run('DELETE FROM session._session WHERE user = ?1', userId), run('DELETE FROM session._authorization_code WHERE user = ?1', userId))
  }

  async insertCode(userId: Uint8Array, code: string, challenge: string, nowSecs: number, expiresSecs: number): Promise<void> {
    await written(
      this.#database,
      'session',
      run('DELETE FROM session._authorization_code WHERE expires <= ?1', BigInt(nowSecs)),
      run(
        'INSERT INTO session._authorization_code (user, authorization_code, pkce_code_challenge, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)',
        userId, digestOf(code), challenge, BigInt(nowSecs), BigInt(expiresSecs),
      ),
    )
  }

  /** Takes a code away, good or not: it is worth one try. Null when there is none that has not expired. */
  async takeCode(code: string, nowSecs: number): Promise<StoredCode | null> {
    const sql = 'DELETE FROM session._authorization_code WHERE authorization_code = ?1 RETURNING user, pkce_code_challenge, expires'
    const row = (await written(this.#database, 'session', run(sql, digestOf(code))))[0]?.[0]
    const userId = idOf(row)
    if (row === undefined || userId === null || Number(row[2]) <= nowSecs) return null
    return { userId, challenge: typeof row[1] === 'string' ? row[1] : null }
  }
}

/** Tokens are letters and digits, so the colon keeps digests and tokens apart. */
function digestOf(secret: string): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(secret).digest('base64url')}`
}

function idOf(row: SqlRow | undefined): Uint8Array | null {
  const id = row?.[0]
  return id instanceof Uint8Array ? id : null
}
