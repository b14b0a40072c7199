/** What a query of an administrator needs: a reader or the writer, of which database, and whether the schema changes. Running it is query.ts. */
import { fail } from '../lib/errors.ts'
import { foldName, isName, isOperator, isWord, SqlTextError, tokenize, type Token } from '../records/catalog/sql-tokens.ts'
import { splitStatements } from '../records/migrations/split-statements.ts'
import { withDeadlines } from './query-deadline.ts'

export interface QueryCommand {
  /** Any number of statements. */
  readonly query: string
  /** Databases that it names besides `main`; those that its names show need not be said. */
  readonly attachedDatabases: readonly string[]
  /** Nothing may be changed. */
  readonly readOnly: boolean
}

export type QueryPlan =
  /** `watched`: the same statements, which stop when their time is over. */
  | { readonly kind: 'read'; readonly database: string; readonly statements: readonly string[]; readonly watched: readonly string[] }
  | { readonly kind: 'write'; readonly database: string; readonly sql: string; readonly transaction: boolean; readonly changesSchema: boolean }

export interface KnownSchema {
  /** Additional databases, without `main`. */
  readonly databases: readonly string[]
  /** True when `main` has a table or view of this name. */
  readonly hasInMain: (name: string) => boolean
}

/** Rows that an answer holds at most. */
export const queryRowsMax = 50_000
/** Characters of texts and bytes of blobs in the rows that its statements read. */
export const queryCharsMax = 64 * 1024 * 1024

/** Refuses `invalid_sql`, and `statement_refused` for what would reach beyond this query: files, other connections, transactions that stay open. */
export function planQuery(command: QueryCommand, schema: KnownSchema): QueryPlan {
  const statements = withoutTransaction(statementsOf(command.query))
  if (statements.length === 0) fail('invalid_sql', { detail: 'there is no statement' })
  for (const statement of statements) refuse(statement, statements.length)
  const attached = attachedOf(command, statements, schema)
  const isRead = command.readOnly || statements.every(({ isReading }) => isReading)
  if (isRead) return { kind: 'read', database: attached ?? 'main', statements: statements.map(limited), watched: statements.map(each => limited(watched(each))) }
  return {
    kind: 'write',
    database: writtenDatabase(statements, attached, schema),
    sql: statements.map(limited).join(';\n'),
    transaction: !statements.some(({ verb }) => verb === 'VACUUM'),
    changesSchema: statements.some(({ verb }) => schemaVerbs.has(verb)),
  }
}

interface Planned {
  readonly text: string
  readonly verb: string
  readonly tokens: readonly Token[]
  readonly isReading: boolean
}

const readingVerbs: ReadonlySet<string> = new Set(['SELECT', 'VALUES', 'EXPLAIN', 'PRAGMA'])
const schemaVerbs: ReadonlySet<string> = new Set(['CREATE', 'DROP', 'ALTER'])
const transactionVerbs: ReadonlySet<string> = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE'])

function statementsOf(query: string): readonly Planned[] {
  try {
    return splitStatements(query).map(({ text }) => {
      const tokens = tokenize(text)
      const verb = verbOf(tokens)
      return { text, verb, tokens, isReading: readingVerbs.has(verb) }
    })
  } catch (error) {
    if (error instanceof SqlTextError) fail('invalid_sql', { detail: error.message })
    throw error
  }
}

/** The first word; behind WITH the one that says what is done with the common tables. */
function verbOf(tokens: readonly Token[]): string {
  const first = tokens[0]
  if (!isWord(first, 'WITH')) return first?.kind === 'word' ? first.value.toUpperCase() : ''
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    if (isOperator(token, '(')) depth++
    else if (isOperator(token, ')')) depth--
    // A common table may have one of the words as its name: it then follows WITH, RECURSIVE or a comma.
    else if (depth === 0 && isWord(token, 'SELECT', 'VALUES', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE') && isOperator(tokens[i - 1], ')')) return token.value.toUpperCase()
  }
  return 'SELECT'
}

/** All statements of a query are one transaction anyhow: BEGIN and COMMIT around them say nothing more. */
function withoutTransaction(statements: readonly Planned[]): readonly Planned[] {
  const isAround = statements[0]?.verb === 'BEGIN' && ['COMMIT', 'END'].includes(statements.at(-1)?.verb ?? '')
  return isAround ? statements.slice(1, -1) : statements
}

function refuse(statement: Planned, count: number): void {
  const { verb, tokens } = statement
  if (verb === 'ATTACH' || verb === 'DETACH') fail('statement_refused', { detail: `${verb} is not allowed: name the database in attached_databases` })
  if (transactionVerbs.has(verb)) fail('statement_refused', { detail: `${verb} is not allowed: the statements of a query are one transaction` })
  if (verb === 'VACUUM' && count > 1) fail('statement_refused', { detail: 'VACUUM is a query of its own' })
  if (verb === 'VACUUM' && tokens.some(token => isWord(token, 'INTO'))) fail('statement_refused', { detail: 'VACUUM INTO would write a file of the server' })
  if (verb === 'PRAGMA') refusePragma(tokens)
  if (tokens.some(({ kind }) => kind === 'parameter')) fail('invalid_sql', { detail: 'there are parameters, and no values for them' })
}

/** Those that only tell something. The connections live on after the query: a setting would hold for others. */
const tellingPragmas: ReadonlySet<string> = new Set(
  'application_id,collation_list,compile_options,database_list,data_version,encoding,foreign_keys,freelist_count,function_list,journal_mode,module_list,page_count,page_size,pragma_list,schema_version,synchronous,table_list,user_version'.split(','),
)
/** Those whose argument says of what. */
const askingPragmas: ReadonlySet<string> = new Set(
  'foreign_key_check,foreign_key_list,index_info,index_list,index_xinfo,integrity_check,quick_check,table_info,table_list,table_xinfo'.split(','),
)

function refusePragma(tokens: readonly Token[]): void {
  const [name, ...rest] = isOperator(tokens[2], '.') ? tokens.slice(3) : tokens.slice(1)
  const known = foldName(name?.value ?? '')
  if (rest.length === 0 && (tellingPragmas.has(known) || askingPragmas.has(known))) return
  if (isOperator(rest[0], '(') && askingPragmas.has(known)) return
  fail('statement_refused', { detail: `PRAGMA ${name?.value ?? ''} is not allowed here: only those that tell something about schema and files` })
}

/** The one additional database that the query needs; null: `main` is enough. */
function attachedOf(command: QueryCommand, statements: readonly Planned[], schema: KnownSchema): string | null {
  const unknown = command.attachedDatabases.find(name => name !== 'main' && !schema.databases.includes(name))
  if (unknown !== undefined) fail('invalid_sql', { detail: `there is no database "${unknown}"` })
  const said = command.attachedDatabases.filter(name => name !== 'main')
  const named = schema.databases.filter(name => statements.some(({ tokens }) => tokens.some((token, i) => isQualifier(token, tokens[i + 1], name))))
  const all = [...new Set([...said, ...named])]
  if (all.length > 1) fail('invalid_sql', { detail: `a query sees main and one additional database, not ${all.join(' and ')} together` })
  return all[0] ?? null
}

function isQualifier(token: Token, next: Token | undefined, name: string): boolean {
  return isName(token) && isOperator(next, '.') && foldName(token.value) === foldName(name)
}

const targetWords = ['INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'ALTER', 'ANALYZE', 'REINDEX', 'VACUUM', 'OR', 'ROLLBACK', 'ABORT', 'FAIL', 'IGNORE'].concat(
  ['INTO', 'FROM', 'TEMP', 'TEMPORARY', 'UNIQUE', 'VIRTUAL', 'TABLE', 'VIEW', 'INDEX', 'TRIGGER', 'IF', 'NOT', 'EXISTS'],
)

/** Each database has a writer of its own: a query writes one. */
function writtenDatabase(statements: readonly Planned[], attached: string | null, schema: KnownSchema): string {
  const written = new Set(statements.filter(({ isReading }) => !isReading).map(statement => targetOf(statement, attached, schema)))
  const [first = 'main', ...more] = written
  if (more.length > 0) fail('invalid_sql', { detail: `a query writes one database, not ${[...written].join(' and ')} together` })
  return first
}

function targetOf({ verb, tokens }: Planned, attached: string | null, schema: KnownSchema): string {
  if (attached === null) return 'main'
  const from = Math.max(0, tokens.findIndex(token => isWord(token, verb)))
  const at = tokens.findIndex((token, i) => i >= from && !isWord(token, ...targetWords))
  const name = foldName(tokens[at]?.value ?? '')
  if (isOperator(tokens[at + 1], '.') || verb === 'VACUUM') return name === foldName(attached) ? attached : 'main'
  // Without a qualifier SQLite looks in main first; what is created goes there.
  return verb === 'CREATE' || name === '' || schema.hasInMain(name) ? 'main' : attached
}

function watched(statement: Planned): Planned {
  return statement.verb === 'SELECT' ? { ...statement, text: withDeadlines(statement.text) } : statement
}

/** A statement that gives rows, with an end to them. */
function limited({ text, verb }: Planned): string {
  if (verb !== 'SELECT' && verb !== 'VALUES') return text
  return `SELECT * FROM (\n${text}\n) LIMIT ${queryRowsMax + 1}`
}
