/** Finds a file by its record: the caller needs what reading the record needs. Its bytes are file-answer.ts. */
import { fail } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { qualified } from '../../storage/identifier.ts'
import { checkAcl } from '../access.ts'
import type { Column } from '../catalog/relation.ts'
import { RowRules, userValues } from '../query/row-rule.ts'
import { columnSql } from '../query/scan.ts'
import { readAtOnce, readInThread } from '../keyed-read.ts'
import type { ReadParts } from '../read.ts'
import type { RecordApi } from '../record-api.ts'
import { parseRecordId } from '../record-id.ts'
import { isFileColumn } from '../writing/file-intake.ts'
import { parseStoredFiles, type StoredFile } from './stored-file.ts'

export interface FileAddress {
  readonly id: string
  readonly column: string
  /** Unique name; null: the one file of a column for one. */
  readonly filename: string | null
}

/** Refuses `forbidden`, `bad_request` for what is no column of files, `invalid_record_id`, `record_not_found`. */
export async function findFile(parts: ReadParts, api: RecordApi, principal: Principal, address: FileAddress): Promise<StoredFile> {
  checkAcl(api, 'read', principal)
  const column = fileColumn(api, address)
  const text = await columnText(parts, api, column, principal, parseRecordId(api, address.id))
  const files = parseStoredFiles(text)
  const file = address.filename === null ? files[0] : files.find(({ filename }) => filename === address.filename)
  return file ?? fail('record_not_found', {})
}

function fileColumn(api: RecordApi, { column, filename }: FileAddress): Column {
  const found = api.columnsByName.get(column)
  const fits = found !== undefined && !found.isHidden && (filename === null ? found.format.kind === 'file' : isFileColumn(found))
  return fits ? found : fail('bad_request', { detail: 'Invalid field/column name' })
}

async function columnText(parts: ReadParts, api: RecordApi, column: Column, principal: Principal, key: readonly SqlValue[]): Promise<string | null> {
  const isAdmin = principal.kind === 'admin'
  const rules = new RowRules(isAdmin, api.key.length + 1)
  const rule = rules.ofApi(api)
  const where = [...api.key.map((part, i) => `${columnSql(part)} = ?${i + 1}`), ...(rule === null ? [] : [rule])].join(' AND ')
  const sql = `SELECT ${columnSql(column)} FROM ${qualified(api.relation.database, api.relation.name)} AS _ROW_ WHERE ${where} LIMIT 1`
  const params = [...key, ...userValues(rules.usesUser, principal)]
  const isQuick = (rule === null || (api.facts.read?.isKeyed ?? true)) && api.relation.kind !== 'view'
  const [row] = isQuick ? readAtOnce(parts, api, { sql, params }) : await readInThread(parts, api, principal, { sql, params })
  // As in read.ts: a rule that does not hold does not tell whether the record exists.
  if (row === undefined) fail(rule === null ? 'record_not_found' : 'forbidden', {})
  return typeof row[0] === 'string' ? row[0] : null
}
