/** The texts of the statements that write records, made once per API and set of columns. Which of them run is insert.ts, update.ts and remove.ts. */
import { qualified, quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'

/** Sets of columns whose text is kept per API; clients use few. */
const textsPerApiMax = 256

/** `INSERT … RETURNING key`; parameters are the values of `columns`. On a conflict of the key as the API says (§5.1). */
export function insertText(api: RecordApi, columns: readonly Column[]): string {
  return text(api, 'insert', columns, () => {
    const target = qualified(api.relation.database, api.relation.name)
    const returning = `RETURNING ${names(api.key)}`
    if (columns.length === 0) return `INSERT INTO ${target} DEFAULT VALUES ${returning}`
    const values = columns.map((_, i) => `?${i + 1}`).join(', ')
    return `INSERT INTO ${target} (${names(columns)}) VALUES (${values})${onConflict(api)} ${returning}`
  })
}

/** `UPDATE … WHERE key`; parameters are the values of `columns`, then the key. Without columns it only looks for the row. */
export function updateText(api: RecordApi, columns: readonly Column[]): string {
  return text(api, 'update', columns, () => {
    const target = qualified(api.relation.database, api.relation.name)
    if (columns.length === 0) return `SELECT 1 FROM ${target} WHERE ${keyCondition(api, 1)}`
    const assignments = columns.map((column, i) => `${quoted(column.name)} = ?${i + 1}`).join(', ')
    return `UPDATE ${target} SET ${assignments} WHERE ${keyCondition(api, columns.length + 1)} RETURNING 1`
  })
}

/** `DELETE … WHERE key`; the parameters are the key. */
export function deleteText(api: RecordApi): string {
  return text(api, 'delete', [], () => `DELETE FROM ${qualified(api.relation.database, api.relation.name)} WHERE ${keyCondition(api, 1)} RETURNING 1`)
}

/** The values that an ETag stands for, of the row whose key the parameters are. */
export function versionText(api: RecordApi): string {
  return text(api, 'version', [], () => `SELECT ${names(api.visible)} FROM ${qualified(api.relation.database, api.relation.name)} WHERE ${keyCondition(api, 1)}`)
}

/**
 * REPLACE is an upsert that sets every column of the API to what an insert would have stored, so what the request leaves out
 * goes back to its default; it deletes nothing, so no cascade runs (trailbase-api.md §5.1).
 */
function onConflict(api: RecordApi): string {
  if (api.conflict === 'abort') return ''
  const key = names(api.key)
  const others = api.columns.filter(column => !api.key.includes(column) && !column.isGenerated)
  if (api.conflict === 'ignore' || others.length === 0) return ` ON CONFLICT (${key}) DO NOTHING`
  const sets = others.map(column => `${quoted(column.name)} = excluded.${quoted(column.name)}`).join(', ')
  return ` ON CONFLICT (${key}) DO UPDATE SET ${sets}`
}

function keyCondition(api: RecordApi, from: number): string {
  return api.key.map((column, i) => `${quoted(column.name)} = ?${from + i}`).join(' AND ')
}

function names(columns: readonly Column[]): string {
  return columns.map(column => quoted(column.name)).join(', ')
}

const texts = new WeakMap<RecordApi, Map<string, string>>()

function text(api: RecordApi, verb: string, columns: readonly Column[], make: () => string): string {
  let ofApi = texts.get(api)
  if (ofApi === undefined) texts.set(api, (ofApi = new Map()))
  let key = verb
  for (const column of columns) key += `,${column.index}`
  let made = ofApi.get(key)
  if (made === undefined) {
    made = make()
    if (ofApi.size >= textsPerApiMax) ofApi.clear()
    ofApi.set(key, made)
  }
  return made
}
