/** `headwater export TABLE`: its rows as CSV, JSON lines or SQL. Their text is table-export-text.ts, reading them admin/tables-rows.ts. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { rowOfWire } from '../admin/tables-wire.ts'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addExamples, exitOk, exitUsage, type Context } from './context.ts'
import { humanBytes, jsonLine } from './output.ts'
import { startProgress, type Progress } from './progress.ts'
import { csvText, jsonLinesText, sqlText, type RowText } from './table-export-text.ts'
import { addTableFlags, checked, formatOf, refuseFormat, tableShape, type TableFlags, type TableFormat } from './table-format.ts'
import { expectOk, openTarget, type Target } from './target.ts'
import { toFile } from './whole-file.ts'

interface ExportFlags extends TableFlags {
  readonly output?: string
}

/** A page is asked for so many rows that it has about this size, in characters. */
const pageCharacters = 1024 * 1024
const pageRowsFirst = 100
const pageRowsMax = 2000

export function addTableExport(program: Command, context: Context): void {
  const command = program
    .command('export')
    .description('Write the rows of a table in the order of its key; every value reads back as it was')
    .argument('<table>', 'the table, or DATABASE.TABLE')
    .option('-o, --output <FILE>', 'the file; it appears when it is complete (default: stdout)')
    .action(context.action((table: string, flags: ExportFlags) => exportTable(context, table, flags)))
  addTableFlags(command, 'form (default: by the name of the file, else csv)')
  addExamples(command, [
    ['headwater export posts -o posts.csv', 'columns in the first line, RFC 4180'],
    ['headwater export posts --format jsonl | jq .title', 'an object a line'],
    ['headwater export posts --format sql | sqlite3 other.db', 'INSERT statements'],
  ])
}

async function exportTable(context: Context, table: string, flags: ExportFlags): Promise<number> {
  const format = formatOf(flags, flags.output ?? null) ?? (flags.output === undefined ? 'csv' : refuseFormat(flags.output))
  if (flags.json === true && flags.output === undefined) throw new OperatorError('--json describes the file that was written; there is none', 'Give --output FILE, or --format jsonl.', exitUsage)
  const target = await openTarget(context, { ...flags })
  try {
    const shape = await tableShape(target, table)
    const progress = await startProgress(context.io, `exporting ${table}`, null, flags.json === true)
    const pump = (sink: Sink) => pumpRows(target, table, textOf(format, shape), { sink, progress })
    const output = flags.output
    const totals = output === undefined ? await pump(text => context.io.out(text)) : await toFile(resolve(context.io.cwd, output), pump)
    const summary = `${totals.rows} rows, ${humanBytes(totals.bytes)}`
    progress.stop(summary)
    if (output !== undefined) await context.io.out(flags.json === true ? jsonLine({ table, file: output, ...totals }) : `${output}: ${summary}\n`)
    return exitOk
  } finally {
    await target.close()
  }
}

function textOf(format: TableFormat, shape: Parameters<typeof csvText>[0]): RowText {
  if (format === 'csv') return csvText(shape)
  return format === 'jsonl' ? jsonLinesText(shape) : sqlText(shape)
}

type Sink = (text: string) => Promise<void>

interface Totals {
  readonly rows: number
  readonly bytes: number
}

async function pumpRows(target: Target, table: string, text: RowText, { sink, progress }: { readonly sink: Sink; readonly progress: Progress }): Promise<Totals> {
  let rows = 0
  let bytes = 0
  let limit = pageRowsFirst
  const write = async (part: string) => {
    if (part === '') return
    await sink(part)
    bytes += Buffer.byteLength(part)
    progress.at(bytes)
  }
  await write(text.head)
  for (let after: string | null = ''; after !== null; ) {
    const query = new URLSearchParams({ table, limit: String(limit), ...(after === '' ? {} : { after }) })
    const response = await expectOk(await target.control(`/table/rows?${query}`), `export ${table}`, '')
    const page = checked(isPage(), await response.json())
    const part: string[] = page.rows.map(row => text.row(rowOfWire(row), ++rows))
    const joined = part.join('')
    await write(joined)
    after = page.next
    limit = nextLimit(limit, joined.length)
  }
  await write(text.tail)
  return { rows, bytes }
}

function nextLimit(limit: number, characters: number): number {
  const wanted = Math.floor((limit * pageCharacters) / Math.max(1, characters))
  return Math.max(1, Math.min(pageRowsMax, limit * 4, wanted))
}

const isPage = lazily(() =>
  Compile(Type.Object({ rows: Type.Array(Type.Array(Type.Union([Type.String(), Type.Null()]))), next: Type.Union([Type.String(), Type.Null()]) })),
)

