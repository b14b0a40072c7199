/** Hands rows of an import to the server, a batch at a time with the next one being read meanwhile. Reading is table-import-*.ts, storing admin/tables-import.ts. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { wireRow } from '../admin/tables-wire.ts'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { checked } from './table-format.ts'
import { LineError, type ImportRow } from './table-import-rows.ts'
import { expectOk, type Target } from './target.ts'

export interface SendOptions {
  readonly target: Target
  readonly table: string
  readonly conflict: string
  /** All rows in one transaction. */
  readonly atomic: boolean
}

/** Rows that one transaction stores, and characters of theirs as they are sent, about. */
const batchRowsMax = 1000
const batchCharactersMax = 1024 * 1024

interface Batch {
  readonly columns: readonly string[]
  readonly lines: number[]
  readonly rows: (readonly (string | null)[])[]
  characters: number
}

export class RowSender {
  readonly #options: SendOptions
  #batch: Batch | null = null
  #sending: Promise<void> = Promise.resolve()
  /** Of an atomic import: its name, and the line of each row. */
  #import: { readonly id: string; readonly columns: readonly string[]; readonly lines: number[] } | null = null
  #rows = 0
  #stored = 0
  #resumeLine: number | null = null

  constructor(options: SendOptions) {
    this.#options = options
  }

  /** Rows that the server has. */
  get rows(): number {
    return this.#rows
  }

  get stored(): number {
    return this.#stored
  }

  /** The first line that is not stored; null while nothing was sent. */
  get resumeLine(): number | null {
    return this.#resumeLine
  }

  /** Throws LineError for the row that the table does not take, of this or an earlier batch. */
  async add(row: ImportRow): Promise<void> {
    const batch = this.#batch
    const isFull = batch !== null && (batch.rows.length >= batchRowsMax || batch.characters >= batchCharactersMax)
    // Rows of one line are stored together, so that an import can go on from a line.
    if (batch !== null && (batch.columns !== row.columns || (isFull && batch.lines.at(-1) !== row.line))) await this.flush()
    const into = (this.#batch ??= { columns: row.columns, lines: [], rows: [], characters: 0 })
    const wire = wireRow(row.values)
    into.lines.push(row.line)
    into.rows.push(wire)
    for (const value of wire) into.characters += value?.length ?? 0
  }

  /** Begins to send what was added, when the batch before it is stored. */
  async flush(): Promise<void> {
    await this.#sending
    const batch = this.#batch
    if (batch === null) return
    this.#batch = null
    this.#sending = this.#options.atomic ? this.#gather(batch) : this.#store(batch)
    this.#sending.catch(() => {}) // thrown by whoever waits for it next
  }

  /** Waits until everything is stored. */
  async finish(conflict: string): Promise<void> {
    await this.flush()
    await this.#sending
    if (this.#import === null) return
    const { id, lines } = this.#import
    this.#import = null
    const response = await this.#post('/table/import/finish', { import: id, conflict })
    if (!response.ok) await refusedRow(response, lines)
    this.#stored = checked(isStored(), await response.json()).stored
  }

  /** Stores what comes before a line that cannot be read; what fails of that counts instead of it. */
  async settle(line: number): Promise<void> {
    if (this.#options.atomic) return
    await this.flush()
    await this.#sending
    this.#resumeLine = line
  }

  /** Takes back what an atomic import gathered. */
  async abort(): Promise<void> {
    await this.#sending.catch(() => {})
    if (this.#import === null) return
    await this.#options.target.control(`/table/import?import=${this.#import.id}`, { method: 'DELETE' }).catch(() => {})
  }

  async #store({ columns, lines, rows }: Batch): Promise<void> {
    const { table, conflict } = this.#options
    this.#resumeLine = lines[0] ?? null
    const response = await this.#post('/table/rows', { table, columns, rows, conflict })
    if (!response.ok) await refusedRow(response, lines)
    this.#stored += checked(isStored(), await response.json()).stored
    this.#rows += rows.length
  }

  async #gather({ columns, lines, rows }: Batch): Promise<void> {
    const { table } = this.#options
    if (this.#import === null) {
      const begun = await expectOk(await this.#post('/table/import', { table, columns }), `import into ${table}`, '')
      this.#import = { id: checked(isBegun(), await begun.json()).import, columns, lines: [] }
    }
    if (!Bun.deepEquals(this.#import.columns, columns)) throw new LineError(lines[0] ?? 0, 'with --atomic every row has the same columns')
    await expectOk(await this.#post('/table/import/rows', { import: this.#import.id, rows }), `import into ${table}`, '')
    for (const line of lines) this.#import.lines.push(line)
    this.#rows += rows.length
  }

  #post(path: string, body: object): Promise<Response> {
    return this.#options.target.control(path, { method: 'POST', body: JSON.stringify(body) })
  }
}

const isStored = lazily(() => Compile(Type.Object({ stored: Type.Number() })))
const isBegun = lazily(() => Compile(Type.Object({ import: Type.String() })))
const isRefusal = lazily(() => Compile(Type.Object({ code: Type.Literal('import_failed'), detail: Type.String(), row: Type.Union([Type.Number(), Type.Null()]) })))

/** Throws LineError when the answer says which row it was, else what it says. */
async function refusedRow(response: Response, lines: readonly number[]): Promise<void> {
  const problem: unknown = await response.clone().json().catch(() => null)
  if (!isRefusal().Check(problem)) return void (await expectOk(response, 'import', 'What was stored before stays.'))
  const line = problem.row === null ? undefined : lines[problem.row]
  if (line !== undefined) throw new LineError(line, problem.detail)
  throw new OperatorError(`import: ${problem.detail}`, '', 1)
}
