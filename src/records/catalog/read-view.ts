/** One view of the schema as a Relation: types, meanings and key of its columns, and why it can be no API when one of them is unknown. */
import { columnType, readColumns, type SchemaEntry } from './read-table.ts'
import type { Column, Relation } from './relation.ts'
import type { ReadRows } from './schema-rows.ts'
import { tokenize } from './sql-tokens.ts'
import { mayBeSecret, passedOn, viewColumns, type KnownSource, type ViewColumn } from './view-columns.ts'
import { viewKey } from './view-key.ts'
import { parseView, type ViewSelect } from './view-select.ts'

/** A relation of the same database by its name, views among them. */
export type FindRelation = (name: string) => Relation | undefined

export function readView(read: ReadRows, entry: SchemaEntry, find: FindRelation, relations: readonly Relation[]): Relation {
  const shown = shownColumns(read, entry)
  if (typeof shown === 'string') return { kind: 'view', ...entry, columns: [], key: [], problems: [`SQLite cannot use the view: ${shown}`] }
  const names = shown.map(({ name }) => name)
  const select = parseView(tokenize(entry.sql))
  if (typeof select === 'string') return { kind: 'view', ...entry, columns: shown.map((column, i) => plainColumn(column, i, relations)), key: [], problems: [`it has no key: ${select}`] }
  const sources = select.sources.map((source): KnownSource => ({ ...source, relation: source.table === null ? null : (find(source.table) ?? null) }))
  const followed = viewColumns(select, sources)
  const parts = followed?.length === shown.length ? followed : shown.map((): ViewColumn => ({ kind: 'other', tokens: select.tokens }))
  const problems: string[] = []
  const columns = parts.map((part, i): Column => {
    const column = viewColumn(part, shown[i] ?? { name: '', declared: '' }, i, sources, select)
    if (column.isTyped === false) problems.push(`the type of its column "${column.name}" is unknown; write CAST(… AS INTEGER), REAL, TEXT or BLOB`)
    const { isTyped: _, ...rest } = column
    const isComputed = part.kind === 'cast' || part.kind === 'other'
    const isSecret = isComputed && mayBeSecret(part.tokens, select, relations, sources.some(source => source.relation === null))
    return isSecret ? { ...rest, isSecret: true } : rest
  })
  const key = followed === parts ? viewKey(select, sources, parts, names) : 'its columns cannot be followed to a table'
  if (typeof key === 'string') problems.push(`it has no key: ${key}`)
  const keyColumns = typeof key === 'string' ? [] : key.flatMap(place => columns[place] ?? [])
  return { kind: 'view', ...entry, columns, key: keyColumns, problems }
}

interface Shown {
  readonly name: string
  /** As SQLite infers it. */
  readonly declared: string
}

/** The columns as SQLite names them, or what it says when the view is broken: it may name what no longer exists. */
function shownColumns(read: ReadRows, entry: SchemaEntry): readonly Shown[] | string {
  try {
    return readColumns(read, entry)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Of a view that cannot be followed nothing is shown that could come from a secret. */
function plainColumn({ name, declared }: Shown, index: number, relations: readonly Relation[]): Column {
  const isSecret = relations.some(relation => relation.columns.some(column => column.isSecret))
  return { ...computedColumn(name, index, columnType(declared, false)), ...(isSecret ? { isSecret: true } : {}) }
}

function viewColumn(part: ViewColumn, shown: Shown, index: number, sources: readonly KnownSource[], select: ViewSelect): Column & { readonly isTyped?: false } {
  switch (part.kind) {
    case 'direct':
      return passedOn(shown.name, index, part.origin, sources[part.origin.source]?.join === 'left')
    case 'extreme': {
      const column = passedOn(shown.name, index, part.origin, select.groupBy === null || sources[part.origin.source]?.join === 'left')
      return column.format.kind === 'uuid' ? column : { ...column, format: { kind: 'plain' }, reference: null }
    }
    case 'count':
      return { ...computedColumn(shown.name, index, 'INTEGER'), isNullable: false }
    case 'literal':
      return { ...computedColumn(shown.name, index, part.type), isNullable: false }
    case 'cast':
      return computedColumn(shown.name, index, columnType(part.declared, false))
    case 'other':
      return inferredColumn(shown, index)
  }
}

/** SQLite says BLOB of what it knows nothing of, and NUM of arithmetic. */
function inferredColumn(shown: Shown, index: number): Column & { readonly isTyped?: false } {
  const type = columnType(shown.declared, false)
  const column = computedColumn(shown.name, index, type)
  return type === 'ANY' || type === 'BLOB' ? { ...column, isTyped: false } : column
}

function computedColumn(name: string, index: number, type: Column['type']): Column {
  return { name, index, type, isNullable: true, defaultSql: null, collation: 'BINARY', isGenerated: false, isHidden: name.startsWith('_'), format: { kind: 'plain' }, reference: null }
}
