/** The files of one request to write: stores what comes, finds what is kept, and settles both when it is known what became of the row. */
import { fail, Refusal } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { qualified, quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'
import { isMimeTypeAllowed } from '../functions/builtin-schemas.ts'
import type { RecordApi } from '../record-api.ts'
import type { FileRequest } from '../writing/file-intake.ts'
import type { PlannedStep } from '../writing/outcome.ts'
import type { FileStaging } from './file-staging.ts'
import { parseIncoming, type IncomingFile } from './incoming-file.ts'
import type { StagedFile } from './staged-file.ts'
import { parseStoredFiles, type StoredFile } from './stored-file.ts'

export interface FileRequestParts {
  readonly staging: FileStaging
  readonly readNow: (database: string, sql: string, params: readonly SqlValue[]) => readonly SqlRow[]
  readonly log: Log
}

export class RecordFileRequest implements FileRequest {
  readonly #parts: FileRequestParts
  readonly #api: RecordApi
  /** Of the record that is updated; null: it is created. */
  readonly #key: SqlRow | null
  readonly #staged: StagedFile[] = []
  readonly #guards: PlannedStep[] = []

  constructor(parts: FileRequestParts, api: RecordApi, key: SqlRow | null) {
    this.#parts = parts
    this.#api = api
    this.#key = key
  }

  async take(column: Column, value: unknown): Promise<SqlValue> {
    const many = column.format.kind === 'files'
    const incoming = parseIncoming(column.name, value, many)
    if (incoming === null) return null
    const current = incoming.some(file => file.kind === 'kept') ? this.#current(column) : []
    const files: StoredFile[] = []
    for (const file of incoming) {
      if (file.kind !== 'kept') files.push(await this.#store(column, file))
      else files.push(current.find(({ filename }) => filename === file.filename) ?? this.#unknown(file.filename))
    }
    return JSON.stringify(many ? files : (files[0] ?? null))
  }

  guards(): readonly PlannedStep[] {
    return this.#guards
  }

  /** A conflict that is ignored writes no row: whether there is one, the sweep looks up. */
  committed(): void {
    const { staging, log } = this.#parts
    if (this.#api.conflict === 'ignore') staging.abandon(this.#staged)
    else staging.keep(this.#staged).catch((error: unknown) => log.warn('the journal of files could not be brought up to date', { error }))
  }

  async refused(error: unknown): Promise<void> {
    const { staging, log } = this.#parts
    if (!isNotWritten(error)) return staging.abandon(this.#staged)
    await staging.discard(this.#staged).catch((reason: unknown) => log.warn('files of a refused write are left to the sweep', { error: reason }))
  }

  async #store(column: Column, file: Exclude<IncomingFile, { kind: 'kept' }>): Promise<StoredFile> {
    const staged = file.kind === 'staged' ? file.file : await this.#parts.staging.stage(this.#api.relation.database, file, [file.bytes])
    // The same part cannot belong to two columns: each would remove it.
    if (staged.isTaken) fail('invalid_record', { detail: `${column.name}: the file belongs to another column` })
    staged.isTaken = true
    this.#staged.push(staged)
    const allowed = column.format.kind === 'file' || column.format.kind === 'files' ? column.format.mimeTypes : null
    // The CHECK would refuse the row; this tells why.
    if (allowed !== null && !isMimeTypeAllowed(allowed, staged.stored.mime_type ?? null)) {
      fail('invalid_record', { detail: `${column.name} takes ${allowed.join(', ')}; the file is ${staged.stored.mime_type ?? 'of no known type'}` })
    }
    return staged.stored
  }

  /**
   * The files that the record has in `column` now. The write is bound to them: when they changed meanwhile, it is refused instead of naming
   * a file that is removed. A record that is gone is none of the guard's business.
   */
  #current(column: Column): readonly StoredFile[] {
    const { relation, key } = this.#api
    if (this.#key === null) fail('invalid_record', { detail: `${column.name}: expected data; there is no record yet whose file could be kept` })
    const where = `FROM ${qualified(relation.database, relation.name)} WHERE ${key.map((part, i) => `${quoted(part.name)} = ?${i + 1}`).join(' AND ')}`
    const [row] = this.#parts.readNow(relation.database, `SELECT ${quoted(column.name)} ${where}`, this.#key)
    const text = row?.[0] ?? null
    const sql = `SELECT NOT EXISTS (SELECT 1 ${where}) OR (SELECT ${quoted(column.name)} ${where}) IS ?${key.length + 1}`
    this.#guards.push({ purpose: 'files', step: { kind: 'expect', sql, params: [...this.#key, text] } })
    return typeof text === 'string' ? parseStoredFiles(text) : []
  }

  /** Refused by a guard, behind the rule: who may not update is not told which files a record has. */
  #unknown(filename: string): StoredFile {
    const { relation, key } = this.#api
    const where = key.map((part, i) => `${quoted(part.name)} = ?${i + 1}`).join(' AND ')
    const sql = `SELECT NOT EXISTS (SELECT 1 FROM ${qualified(relation.database, relation.name)} WHERE ${where})`
    this.#guards.push({ purpose: 'files', step: { kind: 'expect', sql, params: this.#key ?? [] } })
    return { id: '', filename }
  }
}

/**
 * Only a refusal is known to have written nothing. After a failure of storage or of our own the row may be there, and keeps its files until the
 * sweep has looked.
 */
function isNotWritten(error: unknown): boolean {
  return error === null || (error instanceof Refusal && error.code !== 'storage_fenced')
}
