/** What a client may name of an API, by name; made once per API. */
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import { rankName } from './order.ts'

const byApi = new WeakMap<RecordApi, ReadonlyMap<string, Column>>()

/** The columns of answers, filters, orders and aggregates by name. */
export function visibleColumns(api: RecordApi): ReadonlyMap<string, Column> {
  const known = byApi.get(api)
  if (known !== undefined) return known
  const columns = new Map(api.visible.map(column => [column.name, column]))
  byApi.set(api, columns)
  return columns
}

/** How well a row matches, a column that FTS5 has beside those of the table. Smaller is better. */
export const rankColumn: Column = {
  name: rankName,
  index: -1,
  type: 'REAL',
  isNullable: true,
  defaultSql: null,
  collation: 'BINARY',
  isGenerated: true,
  isHidden: false,
  format: { kind: 'plain' },
  reference: null,
}
