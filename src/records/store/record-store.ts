/** The databases behind the record APIs: programs go to one writer each, reads to reader threads or to this one. Knows no APIs, rules or HTTP. */
import { must } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, OperatorError, Refusal } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { Metrics } from '../../lib/metrics.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { Checkpointer } from '../../storage/checkpointer.ts'
import type { Program, ProgramResult, Statement } from '../../storage/program.ts'
import { problemOf } from '../../storage/sqlite-errors.ts'
import { checkWal } from '../../storage/wal-check.ts'
import { makeRecordFile, planConnection, targetOf, type ConnectionPlan, type NamedDatabase } from './connection.ts'
import { DatabaseWriter, defaultWriterLimits, type WriterLimits } from './database-writer.ts'
import type { FinishSpec } from './finish.ts'
import type { ExclusiveOutcome, Script } from './messages.ts'
import type { FunctionSettings } from '../functions/register.ts'
import { ReaderPool, type ReadAnswer, type ReaderLimits } from './reader-pool.ts'
import { RowReader, type RowLimits } from './row-reader.ts'
import { StatementError } from './statement-error.ts'
import { storeMetrics, type StoreMeter } from './store-metrics.ts'
import { cannotOpen } from './thread-failure.ts'

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
  readonly metrics?: Metrics
  /** Ends the process: storage failed, and nothing may be acknowledged any more. */
  readonly fence: (message: string) => void
}

export type RecordStoreLimits = WriterLimits & ReaderLimits

export interface ReadRequest extends RowLimits {
  readonly database: string
  readonly statements: readonly Statement[]
  readonly finish: FinishSpec | null
}

export type CommitListener = (database: string, txn: number) => void

export class RecordStore {
  readonly #options: RecordStoreOptions
  readonly #limits: RecordStoreLimits
  readonly #checkpointer: Checkpointer
  readonly #pool: ReaderPool
  readonly #meter: StoreMeter
  readonly #writers = new Map<string, DatabaseWriter>()
  readonly #listeners = new Set<CommitListener>()
  #plans: ReadonlyMap<string, ConnectionPlan>
  #here: RowReader
  /** What changes the connections goes one after the other. */
  #turn: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | null = null

  private constructor(options: RecordStoreOptions) {
    this.#options = options
    this.#limits = { ...defaultWriterLimits, ...defaultReaderLimits(), ...options.limits }
    this.#checkpointer = new Checkpointer(() => new Worker(new URL('../../storage/checkpoint-worker.ts', import.meta.url).href), options.fence)
    this.#meter = this.#makeMeter()
    this.#pool = new ReaderPool(this.#limits, options.functions, { ...options, late: () => this.#meter.late() })
    this.#plans = plansOf(options)
    this.#here = new RowReader(options.functions, options.clock)
  }

  /** Verifies every database, making missing files; threads start when they are needed. Throws OperatorError for what an operator must mend. */
  static async open(options: RecordStoreOptions): Promise<RecordStore> {
    const store = new RecordStore(options)
    for (const writer of store.#newWriters([...store.#plans.values()], options)) store.#writers.set(...writer)
    return store
  }

  /** Runs `program` as a whole or not at all; what is told is synced. Refuses `overloaded`, `insufficient_storage`, `shutting_down`, `storage_fenced`. */
  write(database: string, program: Program): Promise<ProgramResult> {
    const writer = this.#stopped === null ? this.#writers.get(database) : undefined
    return writer === undefined ? this.#unwritten(database, program) : writer.write(program)
  }

  /** One statement on this thread, for reads by key: a trip to another thread takes longer than they do. Throws StatementError. */
  readNow(database: string, sql: string, params: readonly SqlValue[]): readonly SqlRow[] {
    try {
      return this.#here.rows(this.#plan(database), sql, params as readonly BoundValue[])
    } catch (error) {
      const problem = error instanceof Refusal ? null : problemOf(error)
      throw problem === null ? error : new StatementError(problem.errno, problem.message)
    }
  }

  /** All statements on one state of the databases, in a reader thread. Refuses `query_too_costly`, `overloaded`; throws StatementError. */
  async read(request: ReadRequest): Promise<ReadAnswer> {
    this.#admit()
    const { database, ...read } = request
    return await this.#pool.read({ ...read, plan: this.#plan(database) })
  }

  /**
   * Runs SQL between two groups of writes: after all that was written before. In a transaction, all of it or nothing; without one (VACUUM, for
   * instance) statement by statement. What belongs to an additional database is named with it (`CREATE TABLE more.t`): without, SQL means `main`.
   * Call `refresh` afterwards when it changed what other connections prepared.
   */
  async exclusive(database: string, scripts: readonly Script[], options: { readonly transaction: boolean } = { transaction: true }): Promise<ExclusiveOutcome> {
    this.#admit()
    return await this.#writer(database).exclusive(scripts, options.transaction)
  }

  /** `listener` hears of every commit that wrote, after the results of its programs are delivered. Returns what ends that. */
  onCommit(listener: CommitListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * Opens all connections anew, between groups: new databases, other functions, another schema. Queued writes stay. Throws OperatorError, and
   * changes nothing, when a new database cannot be opened.
   */
  refresh(settings: RecordStoreSettings): Promise<void> {
    const refreshed = this.#turn.then(() => this.#refresh(settings))
    this.#turn = refreshed.catch(() => {})
    return refreshed
  }

  /** Writes what waits, then closes. What comes meanwhile is refused. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#turn.then(() => this.#stop()))
  }

  async #refresh(settings: RecordStoreSettings): Promise<void> {
    this.#admit()
    const plans = plansOf(settings)
    const added = this.#newWriters([...plans.values()].filter(({ target }) => !this.#writers.has(target)), settings)
    const removed = [...this.#writers].filter(([name]) => !plans.has(name))
    this.#plans = plans
    for (const [name] of removed) this.#writers.delete(name)
    const kept = [...this.#writers].map(([name, writer]) => writer.reopen({ plan: this.#plan(name), functions: settings.functions }))
    for (const writer of added) this.#writers.set(...writer)
    this.#here.close()
    this.#here = new RowReader(settings.functions, this.#options.clock)
    this.#pool.refresh(settings.functions)
    await Promise.all(kept)
    for (const [, writer] of removed) await writer.stop()
  }

  async #stop(): Promise<void> {
    await Promise.all([this.#pool.stop(), ...[...this.#writers.values()].map(writer => writer.drain())])
    await this.#checkpointer.close()
    this.#here.close()
    // `main` last: the last connection to a file leaves no WAL behind, and the others look into it.
    for (const writer of [...this.#writers.values()].toReversed()) await writer.stop()
  }

  /** All or none. */
  #newWriters(plans: readonly ConnectionPlan[], { functions }: RecordStoreSettings): readonly (readonly [string, DatabaseWriter])[] {
    for (const plan of plans) verify(targetOf(plan).path, this.#options.log)
    return plans.map(plan => [plan.target, this.#newWriter(plan, functions)])
  }

  #newWriter(plan: ConnectionPlan, functions: FunctionSettings): DatabaseWriter {
    const { path } = targetOf(plan)
    const writer: DatabaseWriter = new DatabaseWriter(
      { plan, functions },
      {
        limits: this.#limits,
        fence: this.#options.fence,
        monotonicMs: () => this.#options.clock.monotonic(),
        answered: (programs, ms) => this.#meter.group(programs, ms),
        walGrown: () => this.#checkpointer.request(path, () => writer.restartWal()),
        committed: txn => this.#tell(plan.target, txn),
      },
    )
    return writer
  }

  #makeMeter(): StoreMeter {
    const pool = () => this.#pool.counts
    const queued = () => [...this.#writers.values()].reduce((sum, writer) => sum + writer.queuedPrograms, 0)
    return storeMetrics(this.#options.metrics ?? new Metrics(), {
      get queuedPrograms() {
        return queued()
      },
      get queuedReads() {
        return pool().queued
      },
      get readers() {
        return pool().readers
      },
      get busyReaders() {
        return pool().busy
      },
    })
  }

  /** Rejects with the reason. */
  async #unwritten(database: string, program: Program): Promise<ProgramResult> {
    this.#admit()
    return await this.#writer(database).write(program)
  }

  #admit(): void {
    if (this.#stopped !== null) fail('shutting_down', {})
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

/** SQLite leaves out everything behind a bad frame of a WAL: that must not happen to what was acknowledged. */
function verify(path: string, log: Log): void {
  const { damage, note } = checkWal(`${path}-wal`)
  if (damage !== null) throw new OperatorError(`${path}-wal is damaged: ${damage}`, 'restore the database from a backup', 74)
  if (note !== null) log.warn('a write was cut off when the server ended', { file: `${path}-wal`, note })
  try {
    makeRecordFile(path)
  } catch (error) {
    throw cannotOpen(error, path)
  }
}

type BoundValue = null | bigint | number | string | NodeJS.TypedArray

function plansOf({ databases, attach }: RecordStoreSettings): ReadonlyMap<string, ConnectionPlan> {
  return new Map(databases.map(({ name }) => [name, planConnection(name, databases, attach)]))
}

function defaultReaderLimits(): ReaderLimits {
  return { readersMax: Math.min(4, Math.max(2, navigator.hardwareConcurrency)), queuedReadsMax: 1024, queuedMsMax: 5000 }
}
