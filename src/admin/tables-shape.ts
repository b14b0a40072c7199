/** Which table a name means, and what import and export need to know of it. Its rows are tables-rows.ts. */
import { fail } from '../lib/errors.ts'
import { nearest, hint } from '../lib/suggest.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import type { ColumnType, Relation } from '../records/catalog/relation.ts'
import type { RecordCatalog } from '../records/record-api.ts'

export interface ShapeColumn {
  readonly name: string
  readonly type: ColumnType
  /** A BLOB that holds a UUID: people read and write its text. */
  readonly isUuid: boolean
}

/** The columns that can be written, in the order of the table. */
export interface TableShape {
  readonly database: string
  readonly name: string
  readonly isStrict: boolean
  readonly columns: readonly ShapeColumn[]
}

/** The table `name`, or `database.name`. Refuses `not_found`, and `bad_request` for what is no table. */
export function findTable(catalog: RecordCatalog, name: string): Relation {
  const folded = foldName(name)
  const all = [...catalog.relations.values()]
  const found = all.find(each => each.database === 'main' && foldName(each.name) === folded) ?? all.find(each => foldName(`${each.database}.${each.name}`) === folded)
  if (found === undefined) fail('not_found', { detail: `there is no table "${name}"${hint(nearest(name, all.map(nameOf)))}` })
  if (found.kind !== 'table') fail('bad_request', { detail: `"${name}" is a ${found.kind === 'view' ? 'view' : 'search table'}; only tables are imported and exported` })
  return found
}

export function shapeOf(relation: Relation): TableShape {
  const columns = relation.columns.filter(({ isGenerated }) => !isGenerated)
  return {
    database: relation.database,
    name: relation.name,
    isStrict: relation.isStrict,
    columns: columns.map(({ name, type, format }) => ({ name, type, isUuid: format.kind === 'uuid' })),
  }
}

function nameOf({ database, name }: Relation): string {
  return database === 'main' ? name : `${database}.${name}`
}
