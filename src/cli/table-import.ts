/** `headwater import TABLE FILE`: rows from CSV, JSON lines or SQL. Reading is table-import-*.ts, storing admin/tables-import.ts. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import type { TableShape } from '../admin/tables-shape.ts'
import { OperatorError } from '../lib/errors.ts'
import { count } from './arguments.ts'
import { addExamples, exitFailed, exitOk, exitUsage, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { startProgress, type Progress } from './progress.ts'
import { addTableFlags, formatOf, refuseFormat, tableShape, type TableFlags, type TableFormat } from './table-format.ts'
import { CsvReader } from './table-import-csv.ts'
import { JsonLinesReader } from './table-import-jsonl.ts'
import { LineError, type RowReader } from './table-import-rows.ts'
import { RowSender } from './table-import-send.ts'
import { SqlReader } from './table-import-sql.ts'
import { openTarget } from './target.ts'

interface ImportFlags extends TableFlags {
  readonly atomic?: boolean
  readonly onConflict: string
  readonly fromLine?: number
}

export function addTableImport(program: Command, context: Context): void {
  const conflict = new Option('--on-conflict <RULE>', 'when a row with the same key or UNIQUE value exists: stop, keep it, or replace it')
  const command = program
    .command('import')
    .description('Bring rows into a table from CSV (first line: columns), JSON lines or INSERT statements; a batch of 1000 rows is stored whole or not at all')
    .argument('<table>', 'the table, or DATABASE.TABLE')
    .argument('<file>', 'the file, or - for stdin')
    .option('--atomic', 'store all rows in one transaction: every one or none')
    .addOption(conflict.choices(['fail', 'skip', 'replace']).default('fail'))
    .option('--from-line <LINE>', 'leave out rows before this line, to go on after a mistake', count)
    .action(context.action((table: string, file: string, flags: ImportFlags) => importTable(context, table, file, flags)))
  addTableFlags(command, 'form of the file (default: by its name)')
  addExamples(command, [
    ['headwater import posts posts.csv', 'an empty field is NULL, "" the empty text'],
    ['headwater import posts posts.jsonl --atomic', 'all or nothing'],
    ['sqlite3 old.db ".dump posts" | grep ^INSERT | headwater import posts - --format sql', 'from another database'],
  ])
}

async function importTable(context: Context, table: string, file: string, flags: ImportFlags): Promise<number> {
  const source = sourceOf(context, file)
  const format = formatOf(flags, file) ?? refuseFormat(file)
  const target = await openTarget(context, { ...flags })
  try {
    const shape = await tableShape(target, table)
    const sender = new RowSender({ target, table, conflict: flags.onConflict, atomic: flags.atomic === true })
    const progress = await startProgress(context.io, `importing into ${table}`, source.bytes, flags.json === true)
    try {
      await sendRows(source.body, readerOf(format, shape, flags.fromLine), sender, progress)
      await sender.finish(flags.onConflict)
      progress.stop('done')
    } catch (error) {
      progress.stop('stopped')
      await sender.abort()
      throw problemOf(error, sender, file, flags)
    }
    const skipped = sender.rows - sender.stored
    const text = `${sender.stored} rows stored in ${table}${skipped > 0 ? `, ${skipped} left out because they exist` : ''}\n`
    await context.io.out(flags.json === true ? jsonLine({ table, rows: sender.rows, stored: sender.stored }) : text)
    return exitOk
  } finally {
    await target.close()
  }
}

function readerOf(format: TableFormat, shape: TableShape, fromLine: number | undefined): RowReader {
  if (format === 'csv') return new CsvReader(shape, fromLine)
  return format === 'jsonl' ? new JsonLinesReader(shape, fromLine) : new SqlReader(shape, fromLine)
}

/** What is read before a line that cannot be read is sent first. */
async function sendRows(body: ReadableStream<Uint8Array>, reader: RowReader, sender: RowSender, progress: Progress): Promise<void> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let bytes = 0
  let line = 1
  const send = async (rows: Iterable<Parameters<RowSender['add']>[0]>) => {
    for (const row of rows) {
      line = row.line
      await sender.add(row)
    }
  }
  const decoded = (chunk?: Uint8Array) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
    } catch {
      throw new LineError(line, 'somewhere behind this line the file is not UTF-8')
    }
  }
  try {
    for await (const chunk of body) {
      await send(reader.push(decoded(chunk)))
      bytes += chunk.byteLength
      progress.at(bytes)
    }
    await send(reader.push(decoded()))
    await send(reader.end())
  } catch (error) {
    if (error instanceof LineError) await sender.settle(error.line)
    throw error
  }
}

/** What went wrong, where, and how to go on. */
function problemOf(error: unknown, { rows, resumeLine }: RowSender, file: string, flags: ImportFlags): unknown {
  const isLine = error instanceof LineError
  if (!isLine && !(error instanceof OperatorError)) return error
  const message = isLine ? `${file === '-' ? 'line ' : `${file}:`}${error.line}: ${error.message}` : error.message
  if (flags.atomic === true) return new OperatorError(message, `Nothing was stored. ${isLine ? 'Mend the line and import again.' : error.remedy}`, exitFailed)
  const from = resumeLine ?? (isLine ? error.line : null)
  if (from === null) return error
  if (isLine) return new OperatorError(message, `${rows} rows before line ${from} are stored. Mend the line, then go on with --from-line ${from}.`, exitFailed)
  const remedy = `${rows} rows before line ${from} are stored, those behind it perhaps. Go on with --from-line ${from} --on-conflict skip.`
  return new OperatorError(message, remedy, exitFailed)
}

function sourceOf(context: Context, file: string): { readonly body: ReadableStream<Uint8Array>; readonly bytes: number | null } {
  if (file === '-') {
    if (!context.io.stdinIsTerminal) return { body: context.io.stdin(), bytes: null }
    throw new OperatorError('rows are not typed in', 'Name a file, or pipe it in.', exitUsage)
  }
  const path = resolve(context.io.cwd, file)
  if (!existsSync(path)) throw new OperatorError(`there is no file ${path}`, 'Name a file of CSV, JSON lines or SQL.', exitUsage)
  return { body: Bun.file(path).stream(), bytes: Bun.file(path).size }
}
