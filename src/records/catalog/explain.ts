/** Which tables a statement reads and whether it scans any, from the program that SQLite makes of it. */
import { quoted } from '../../storage/identifier.ts'
import type { CompileContext } from './compile-api.ts'
import { numberOf, textOf, type ReadRows } from './schema-rows.ts'
import { foldName, isName, tokenize } from './sql-tokens.ts'

export interface Explained {
  /** `database.table`, sorted. */
  readonly tables: readonly string[]
  readonly databases: readonly string[]
  /** No table is walked from its one end, and nothing recurs. */
  readonly isKeyed: boolean
}

/** Opcodes that open a table or an index (p2 its root page, p3 its database), and such that walk or count one as a whole. */
const opening = new Set(['OpenRead', 'ReopenIdx'])
const walking = new Set(['Rewind', 'Last', 'Count'])

/** Table-valued functions over a value of the statement: no tables. */
const valueFunctions = ['json_each', 'json_tree']

export function explained(sql: string, context: Pick<CompileContext, 'read' | 'relations'>): Explained {
  const operations = context.read(`EXPLAIN ${sql}`).map(([, opcode, p1, p2, p3, p4]) => ({ opcode: textOf(opcode), p1: numberOf(p1), p2: numberOf(p2), p3: numberOf(p3), p4: textOf(p4) }))
  const opened = operations.filter(({ opcode }) => opening.has(opcode))
  const cursors = new Set(opened.map(({ p1 }) => p1))
  const isWalked = operations.some(({ opcode, p1 }) => walking.has(opcode) && cursors.has(p1))
  // A query deletes only from the queue of a recursion, which may be long without any table.
  const isRecursive = operations.some(({ opcode }) => opcode === 'Delete')
  const words = tokenize(sql).filter(isName).map(token => foldName(token.value))
  // SQLite may copy a condition to several places; what it opens there is the same table.
  const functions = valueFunctions.filter(name => words.includes(name)).length
  const virtual = new Set(operations.filter(({ opcode }) => opcode === 'VOpen').map(({ p4 }) => p4)).size
  const searched = [...context.relations.values()].filter(relation => relation.kind === 'search' && words.includes(foldName(relation.name)))
  const named = [...opened.map(({ p2, p3 }) => tableAt(context.read, p3, p2)), ...(virtual > functions ? searched : [])]
  return {
    tables: [...new Set(named.map(({ database, name }) => `${database}.${name}`))].sort(),
    databases: [...new Set(named.map(({ database }) => database))],
    isKeyed: !isWalked && !isRecursive && virtual <= functions,
  }
}

function tableAt(read: ReadRows, databaseNumber: number, rootPage: number): { readonly database: string; readonly name: string } {
  const database = textOf(read(`SELECT name FROM pragma_database_list WHERE seq = ${databaseNumber}`)[0]?.[0])
  const rows = read(`SELECT tbl_name FROM ${quoted(database)}.sqlite_schema WHERE rootpage = ${rootPage}`)
  return { database, name: textOf(rows[0]?.[0]) || 'sqlite_schema' }
}

