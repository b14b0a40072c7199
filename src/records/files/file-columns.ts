/** The columns of a depot that hold files, and which of some objects they name. */
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import { qualified, quoted } from '../../storage/identifier.ts'
import type { Column, Relation } from '../catalog/relation.ts'
import type { RecordCatalog } from '../record-api.ts'
import { isFileColumn } from '../writing/file-intake.ts'

export interface FileColumn {
  readonly relation: Relation
  readonly column: Column
}

/** Reads all statements on one state of the database. */
export type ReadRows = (database: string, statements: readonly Statement[]) => Promise<readonly (readonly SqlRow[])[]>

/** Of tables, also of those without an API. Views show what tables hold. */
export function fileColumns(catalog: RecordCatalog): readonly FileColumn[] {
  return [...catalog.relations.values()]
    .filter(({ kind }) => kind === 'table')
    .flatMap(relation => relation.columns.filter(column => isFileColumn(column) && !column.isGenerated).map(column => ({ relation, column })))
}

/** Those of `ids` that a row of `database` names: each column is gone through once, whatever their number. */
export async function namedIds(columns: readonly FileColumn[], database: string, ids: readonly string[], read: ReadRows): Promise<ReadonlySet<string>> {
  const statements = columns.filter(({ relation }) => relation.database === database).map(each => ({ sql: namedSql(each), params: [JSON.stringify(ids)] }))
  if (statements.length === 0 || ids.length === 0) return new Set()
  const results = await read(database, statements)
  return new Set(results.flat().map(([id]) => String(id)))
}

/** Text that is no JSON (a value from before its CHECK) names nothing. */
function namedSql({ relation, column }: FileColumn): string {
  const table = qualified(relation.database, relation.name)
  const text = `CASE WHEN json_valid(t.${quoted(column.name)}) THEN t.${quoted(column.name)} END`
  // Expressions instead of aliases: a column of the table may have the alias' name, and would be meant.
  const [id, source] =
    column.format.kind === 'file' ? [`json_extract(${text}, '$.id')`, ''] : ["CASE f.type WHEN 'object' THEN json_extract(f.value, '$.id') END", `, json_each(${text}) AS f`]
  return `SELECT ${id} FROM ${table} AS t${source} WHERE ${id} IN (SELECT value FROM json_each(?1))`
}
