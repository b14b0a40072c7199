/** `headwater sql`: SQL on the databases of a depot, as the operator. Running it is admin/query.ts. */
import type { Command } from 'commander'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { parseExactJson } from '../records/body/exact-json.ts'
import { lazily } from '../lib/lazily.ts'
import { OperatorError } from '../lib/errors.ts'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { addExamples, exitOk, exitUsage, type Context } from './context.ts'
import { table } from './output.ts'
import { checked } from './table-format.ts'
import { expectOk, openTarget } from './target.ts'

interface SqlFlags extends ConfigFlags {
  readonly readOnly?: boolean
  readonly attach?: readonly string[]
  readonly json?: boolean
}

export function addSql(program: Command, context: Context): void {
  const command = program
    .command('sql')
    .description('Run SQL as one transaction and print the rows of the last statement that has any; subscribers hear of changes')
    .argument('<sql>', 'one or more statements, or - for stdin')
    .option('--read-only', 'refuse everything that would change something')
    .option('--attach <DATABASE>', 'an additional database whose tables are named without it', (name: string, before: readonly string[] = []) => [...before, name])
    .action(context.action((sql: string, flags: SqlFlags) => run(context, sql, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON: an object a row')
  addExamples(command, [
    [`headwater sql "SELECT id, title FROM posts LIMIT 5"`, 'a table of five rows'],
    [`headwater sql "UPDATE posts SET title = trim(title)"`, 'told to those who subscribed'],
    ['headwater sql - < fix.sql', 'a script'],
  ])
}

async function run(context: Context, sql: string, flags: SqlFlags): Promise<number> {
  const query = sql === '-' ? await scriptOf(context) : sql
  const target = await openTarget(context, { ...flags })
  try {
    const body = JSON.stringify({ query, attached_databases: flags.attach ?? [], read_only: flags.readOnly === true })
    const response = await expectOk(await target.control('/sql', { method: 'POST', body }), 'sql', '')
    const result = checked(isResult(), parseExactJson(await response.bytes()))
    await context.io.out(flags.json === true ? jsonText(result) : tableText(result))
    return exitOk
  } finally {
    await target.close()
  }
}

async function scriptOf(context: Context): Promise<string> {
  if (context.io.stdinIsTerminal) throw new OperatorError('a script is not typed in', 'Give the SQL as the argument, or pipe it in.', exitUsage)
  return await new Response(context.io.stdin()).text()
}

/** parseExactJson gives integers beyond 2^53 as bigint; the types say the rest. */
const cell = Type.Union([
  Type.Literal('Null'),
  Type.Object({ Integer: Type.Union([Type.BigInt(), Type.Integer()]) }),
  Type.Object({ Real: Type.Any() }),
  Type.Object({ Text: Type.String() }),
  Type.Object({ Blob: Type.Object({ Base64UrlSafe: Type.String() }) }),
])
const result = Type.Object({
  columns: Type.Union([Type.Null(), Type.Array(Type.Object({ name: Type.String(), data_type: Type.String() }))]),
  rows: Type.Array(Type.Array(cell)),
  txn: Type.Optional(Type.Number()),
})
type Cell = Type.Static<typeof cell>
type Result = Type.Static<typeof result>
const isResult = lazily(() => Compile(result))

function tableText({ columns, rows, txn }: Result): string {
  if (columns === null) return txn === undefined ? 'no rows\n' : `done (transaction ${txn})\n`
  const numbers = columns.flatMap(({ data_type: type }, i) => (type === 'Integer' || type === 'Real' ? [i] : []))
  return table(columns.map(({ name }) => name), rows.map(row => row.map(cellText)), numbers)
}

function cellText(value: Cell): string {
  if (value === 'Null') return ''
  if ('Integer' in value) return String(value.Integer)
  if ('Real' in value) return String(value.Real)
  if ('Text' in value) return value.Text.replaceAll(/[\r\n]+/g, ' ')
  return `x'${Buffer.from(value.Blob.Base64UrlSafe, 'base64url').toString('hex')}'`
}

/** Integers are digits whatever their size; blobs are base64. A name that comes twice gets a number. */
function jsonText({ columns, rows }: Result): string {
  const names = uniqueNames((columns ?? []).map(({ name }) => name)).map(name => JSON.stringify(name))
  return rows.map(row => `{${row.map((value, i) => `${names[i]}:${jsonCell(value)}`).join(',')}}\n`).join('')
}

function uniqueNames(names: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  return names.map(name => {
    let own = name
    for (let number = 2; seen.has(own); number++) own = `${name}_${number}`
    seen.add(own)
    return own
  })
}

function jsonCell(value: Cell): string {
  if (value === 'Null') return 'null'
  if ('Integer' in value) return String(value.Integer)
  if ('Real' in value) return Number.isFinite(value.Real) ? String(value.Real) : value.Real < 0 ? '-1e999' : '1e999'
  return JSON.stringify('Text' in value ? value.Text : Buffer.from(value.Blob.Base64UrlSafe, 'base64url').toString('base64'))
}
