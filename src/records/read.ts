/** Reads of one record by its key, with what it brings along. Whether the caller may read at all (ACL) is asked before; a list is list.ts. */
import { fail } from '../lib/errors.ts'
import type { Principal } from '../lib/principal.ts'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import { rowTag } from '../storage/row-tag.ts'
import { qualified } from '../storage/identifier.ts'
import { readAtOnce, readInThread } from './keyed-read.ts'
import type { ListParts } from './list.ts'
import { type ArmSpec, Expansion, pageName, withArms } from './query/expansion.ts'
import { formArms } from './query/list-body.ts'
import { expandedColumns, selectedColumns } from './query/list-shape.ts'
import { parseReadQuery, type ReadQuery } from './query/parse.ts'
import { RowRules, userValues } from './query/row-rule.ts'
import { columnSql } from './query/scan.ts'
import { Selection } from './query/selection.ts'
import type { RecordApi } from './record-api.ts'
import { rowText, type RowText } from './row-json.ts'
import { parseRecordId } from './record-id.ts'

export interface ReadParts extends ListParts {
  /** Rows read at once on the calling thread. */
  readonly readNow: (database: string, sql: string, params: readonly SqlValue[]) => readonly SqlRow[]
}

export interface RecordText {
  /** The record as JSON. */
  readonly text: string
  /** Tag of its visible values (storage/row-tag.ts), whatever of them is shown: what If-Match is compared with. */
  readonly tag: string
}

/**
 * The body of `GET /{api}/{id}?{query}`; `id` is decoded. Keyed reads are answered at once, others by a reader thread. Refuses `invalid_record_id`,
 * `invalid_query`, `record_not_found`, and `forbidden` where a rule does not hold: then it does not tell whether the record exists (trailbase-api.md §5.2).
 */
export function readRecord(parts: ReadParts, api: RecordApi, principal: Principal, id: string, query: string): RecordText | Promise<RecordText> {
  const key = parseRecordId(api, id)
  const isAdmin = principal.kind === 'admin'
  const shape = query === '' ? plainShape(api, isAdmin) : askedShape(api, parseReadQuery(query), isAdmin)
  const params = [...key, ...userValues(shape.usesUser, principal)]
  const isQuick = shape.arms.length === 0 && (isAdmin || (api.facts.read?.isKeyed ?? true)) && api.relation.kind !== 'view'
  if (isQuick) return formRecord(api, shape, readAtOnce(parts, api, { sql: shape.sql, params }), isAdmin)
  return readInThread(parts, api, principal, { sql: shape.sql, params }).then(rows => formRecord(api, shape, rows, isAdmin))
}

/** The statement of a read, and how its row becomes text. */
interface ReadShape {
  readonly sql: string
  readonly usesUser: boolean
  readonly arms: readonly ArmSpec[]
  readonly text: RowText
  /** Where the visible values begin in the row. */
  readonly first: number
}

const plainShapes = { all: new WeakMap<RecordApi, ReadShape>(), guarded: new WeakMap<RecordApi, ReadShape>() }

function askedShape(api: RecordApi, wanted: ReadQuery, isAdmin: boolean): ReadShape {
  return wanted.expand.length === 0 && wanted.fields === null ? plainShape(api, isAdmin) : readShape(api, wanted, isAdmin)
}

/** The shape of a read without a query string, kept per API. */
function plainShape(api: RecordApi, isAdmin: boolean): ReadShape {
  const shapes = isAdmin ? plainShapes.all : plainShapes.guarded
  const known = shapes.get(api)
  if (known !== undefined) return known
  const shape = readShape(api, { expand: [], fields: null }, isAdmin)
  shapes.set(api, shape)
  return shape
}

/** All visible values are selected first, as the tag is made of all of them. */
function readShape(api: RecordApi, { expand, fields }: ReadQuery, isAdmin: boolean): ReadShape {
  const rules = new RowRules(isAdmin, api.key.length + 1)
  const rule = rules.ofApi(api)
  const first = expand.length > 0 ? 1 : 0
  const selection = new Selection(first)
  for (const column of api.visible) selection.add(column)
  const expansion = new Expansion(target => rules.ofTarget(target))
  const shown = [...new Set([...selectedColumns(api, fields, false), ...expandedColumns(api, expand)])]
  const specs = expansion.fields(shown, api.expand, expand, selection, pageName)
  const where = [...api.key.map((column, i) => `${columnSql(column)} = ?${i + 1}`), ...(rule === null ? [] : [asFilter(rule)])].join(' AND ')
  const rest = `${selection.sql('_ROW_')} FROM ${qualified(api.relation.database, api.relation.name)} AS _ROW_ WHERE ${where} LIMIT 1`
  const sql = first === 0 ? `SELECT ${rest}` : withArms(`SELECT 0, ${rest}`, selection.width, expansion.arms)
  return { sql, usesUser: rules.usesUser, arms: expansion.arms.map(arm => arm.spec), text: rowText(specs), first }
}

/**
 * SQLite makes a join of an EXISTS in WHERE, which serves scans and takes 10 µs where the row is found by its key; behind a plus, which does
 * nothing else, it is a sub-select of 3 µs (docs/measurements.md).
 */
function asFilter(rule: string): string {
  return `+(${rule})`
}

function formRecord(api: RecordApi, shape: ReadShape, rows: readonly SqlRow[], isAdmin: boolean): RecordText {
  const { page, linked } = formArms(shape.arms, rows)
  const [row] = page
  if (row === undefined) return fail(api.rules.read === null || isAdmin ? 'record_not_found' : 'forbidden', {})
  return { text: shape.text(row, linked), tag: rowTag(row.slice(shape.first, shape.first + api.visible.length)) }
}
