/** The databases behind the record APIs: programs go to one writer each, reads to reader threads or to this one. Knows no APIs, rules or HTTP. */
import { must } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { Checkpointer } from '../../storage/checkpointer.ts'
import type { Program, ProgramResult, Statement } from '../../storage/program.ts'
import { planConnection, type ConnectionPlan, type NamedDatabase } from './connection.ts'
import { DatabaseWriter, defaultWriterLimits, type WriterLimits } from './database-writer.ts'
import type { FinishSpec } from './finish.ts'
import type { ExclusiveOutcome, Script } from './messages.ts'
import type { FunctionSettings } from './prepare-connection.ts'
import { ReaderPool, type ReadAnswer, type ReaderLimits } from './reader-pool.ts'
import { RowReader } from './row-reader.ts'

/** What the store works on; `refresh` replaces it. */
export interface RecordStoreSettings {
  /** `main` first. */
  readonly databases: readonly NamedDatabase[]
  /** By database: the others that its rules and views name. `main` is always seen. */
  readonly attach: ReadonlyMap<string, readonly string[]>
  readonly functions: FunctionSettings
}

export interface RecordStoreOptions extends RecordStoreSettings {
  readonly limits?: Partial<RecordStoreLimits>
  readonly clock: Clock
  readonly log: Log
  /** Ends the process: storage failed, and nothing may be acknowledged any more. */
  readonly fence: (message: string) => void
}

export type RecordStoreLimits = WriterLimits & ReaderLimits

export interface ReadRequest {
  readonly database: string
  readonly statements: readonly Statement[]
  /** For all statements together; `_deadline()` in them looks at it. */
  readonly deadlineMs: number
  readonly finish: FinishSpec | null
}

export type CommitListener = (database: string, txn: number) => void

export class RecordStore {
  readonly #options: RecordStoreOptions
  readonly #limits: RecordStoreLimits
  readonly #checkpointer: Checkpointer
  readonly #pool: ReaderPool
  readonly #writers = new Map<string, DatabaseWriter>()
  readonly #listeners = new Set<CommitListener>()
  #plans: ReadonlyMap<string, ConnectionPlan>
  #here: RowReader

  private constructor(options: RecordStoreOptions) {
    this.#options = options
    this.#limits = { ...defaultWriterLimits, ...defaultReaderLimits(), ...options.limits }
    this.#checkpointer = new Checkpointer(() => new Worker(new URL('../../storage/checkpoint-worker.ts', import.meta.url).href), options.fence)
    this.#pool = new ReaderPool(this.#limits, options.functions, options)
    this.#plans = plansOf(options)
    this.#here = new RowReader(options.functions, options.clock)
  }

  /** Opens every database, creating missing files. Throws OperatorError for what an operator must mend. */
  static async open(options: RecordStoreOptions): Promise<RecordStore> {
    const store = new RecordStore(options)
    try {
      // One after the other: `main` exists before a writer of another database looks into it.
      for (const name of store.#plans.keys()) await store.#openWriter(name, options.functions)
      return store
    } catch (error) {
      await store.stop()
      throw error
    }
  }

  /** Runs `program` as a whole or not at all; what is told is synced. Refuses `overloaded`, `insufficient_storage`, `shutting_down`, `storage_fenced`. */
  async write(database: string, program: Program): Promise<ProgramResult> {
    return await this.#writer(database).write(program)
  }

  /** One statement on this thread, for reads by key: a trip to another thread takes longer than they do. Throws what SQLite throws. */
  readNow(database: string, sql: string, params: readonly SqlValue[]): readonly SqlRow[] {
    return this.#here.rows(this.#plan(database), sql, params as readonly BoundValue[])
  }

  /** All statements on one state of the databases, in a reader thread. Refuses `query_too_costly`, `overloaded`; throws StatementError. */
  async read(request: ReadRequest): Promise<ReadAnswer> {
    const { database, ...read } = request
    return await this.#pool.read({ ...read, plan: this.#plan(database) })
  }

  /**
   * Runs SQL between two groups of writes: after all that was written before. In a transaction, all of it or nothing; without one (VACUUM, for
   * instance) statement by statement. Call `refresh` afterwards when it changed the schema.
   */
  async exclusive(database: string, scripts: readonly Script[], options: { readonly transaction: boolean } = { transaction: true }): Promise<ExclusiveOutcome> {
    return await this.#writer(database).exclusive(scripts, options.transaction)
  }

  /** `listener` hears of every commit that wrote, after the results of its programs are delivered. Returns what ends that. */
  onCommit(listener: CommitListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Opens all connections anew, between groups: new databases, other functions, another schema. Queued writes stay. */
  async refresh(settings: RecordStoreSettings): Promise<void> {
    const plans = plansOf(settings)
    const removed = [...this.#writers].filter(([name]) => !plans.has(name))
    const kept = [...plans].flatMap(([name, plan]) => {
      const writer = this.#writers.get(name)
      return writer === undefined ? [] : [writer.reopen({ plan, functions: settings.functions })]
    })
    await Promise.all(kept)
    this.#plans = plans
    for (const name of plans.keys()) if (!this.#writers.has(name)) await this.#openWriter(name, settings.functions)
    this.#here.close()
    this.#here = new RowReader(settings.functions, this.#options.clock)
    this.#pool.refresh(settings.functions)
    for (const [name, writer] of removed) {
      this.#writers.delete(name)
      await writer.stop()
    }
  }

  /** Writes what waits, then closes. What comes meanwhile is refused. */
  async stop(): Promise<void> {
    await Promise.all([...this.#writers.values()].map(writer => writer.drain()))
    await this.#pool.stop()
    await this.#checkpointer.close()
    this.#here.close()
    // `main` last: the last connection to a file leaves no WAL behind, and the others look into it.
    for (const [name, writer] of [...this.#writers].toReversed()) {
      await writer.stop()
      this.#writers.delete(name)
    }
  }

  async #openWriter(name: string, functions: FunctionSettings): Promise<void> {
    const plan = this.#plan(name)
    const path = must(plan.databases.find(database => database.name === name), 'a plan holds its target').path
    const writer = await DatabaseWriter.open(
      { plan, functions },
      {
        limits: this.#limits,
        fence: this.#options.fence,
        walGrown: () => this.#checkpointer.request(path, () => writer.restartWal()),
        committed: txn => this.#tell(name, txn),
      },
    )
    this.#writers.set(name, writer)
  }

  #tell(database: string, txn: number): void {
    for (const listener of this.#listeners) listener(database, txn)
  }

  #plan(database: string): ConnectionPlan {
    return must(this.#plans.get(database), `the database ${database} is open`)
  }

  #writer(database: string): DatabaseWriter {
    return must(this.#writers.get(database), `the database ${database} is open`)
  }
}

type BoundValue = null | bigint | number | string | NodeJS.TypedArray

function plansOf({ databases, attach }: RecordStoreSettings): ReadonlyMap<string, ConnectionPlan> {
  return new Map(databases.map(({ name }) => [name, planConnection(name, databases, attach)]))
}

function defaultReaderLimits(): ReaderLimits {
  return { readersMax: Math.min(4, Math.max(2, navigator.hardwareConcurrency)), queuedReadsMax: 1024, queuedMsMax: 5000 }
}
