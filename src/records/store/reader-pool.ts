/** The HTTP thread's end of the reader threads: who reads what next, and what happens to a read that does not end. Reading is row-reader.ts. */
import type { Clock } from '../../lib/clock.ts'
import { fail, Refusal, type DetailsOf, type ErrorCode } from '../../lib/errors.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import type { ConnectionPlan } from './connection.ts'
import type { FinishSpec } from './finish.ts'
import type { FromReader, ToReader } from './messages.ts'
import type { FunctionSettings } from '../functions/register.ts'
import type { RowLimits } from './row-reader.ts'
import { StatementError } from './statement-error.ts'

export interface ReaderLimits {
  readonly readersMax: number
  /** Reads that may wait. */
  readonly queuedReadsMax: number
  /** How long one may wait before it begins. */
  readonly queuedMsMax: number
}

/** Reads that a thread has before it; the second is there so that it need not wait for us. */
const postedPerReaderMax = 2
/** How often reads are looked at that do not end. */
const lookMs = 50
/** What a read may take beyond its deadline before its thread is given up: a statement that never asks for the time cannot be stopped. */
const graceFactor = 1.5
const graceMs = 100

export interface PooledRead extends RowLimits {
  readonly plan: ConnectionPlan
  readonly statements: readonly Statement[]
  readonly finish: FinishSpec | null
}

export type ReadAnswer = { readonly rows: readonly (readonly SqlRow[])[]; readonly columns: readonly (readonly string[])[] } | { readonly text: string }

interface Pending {
  readonly id: number
  readonly read: PooledRead
  readonly queuedAtMs: number
  readonly resolve: (answer: ReadAnswer) => void
  readonly reject: (error: Error) => void
}

interface Reader {
  readonly worker: Worker
  readonly posted: Pending[]
  /** The thread has started. */
  isReady: boolean
  /** Since when the first of `posted` is being read. */
  sinceMs: number
  /** It reads something that was given up. */
  isStuck: boolean
  closed: (() => void) | null
}

export class ReaderPool {
  readonly #limits: ReaderLimits
  readonly #clock: Clock
  readonly #fence: (message: string) => void
  readonly #late: () => void
  #functions: FunctionSettings
  #readers: Reader[] = []
  readonly #waiting: Pending[] = []
  #id = 0
  #cancelLook: (() => void) | null = null
  #closing = false

  constructor(limits: ReaderLimits, functions: FunctionSettings, parts: { clock: Clock; fence: (message: string) => void; late: () => void }) {
    this.#limits = limits
    this.#functions = functions
    this.#clock = parts.clock
    this.#fence = parts.fence
    this.#late = parts.late
  }

  /** Reads that wait for a reader, threads, and those of them that read. */
  get counts(): { readonly queued: number; readonly readers: number; readonly busy: number } {
    const busy = this.#readers.filter(({ posted, isStuck }) => isStuck || posted.length > 0).length
    return { queued: this.#waiting.length, readers: this.#readers.length, busy }
  }

  /** Refuses `query_too_costly`, `overloaded`, `shutting_down`. Throws StatementError for what SQLite refuses. */
  read(read: PooledRead): Promise<ReadAnswer> {
    if (this.#closing) fail('shutting_down', {})
    if (this.#waiting.length >= this.#limits.queuedReadsMax) fail('overloaded', { detail: 'too many queries wait' })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: ++this.#id, read, queuedAtMs: this.#clock.monotonic(), resolve, reject })
      this.#distribute()
    })
  }

  /** Every reader opens its connections anew, after what it was given before. */
  refresh(functions: FunctionSettings): void {
    this.#functions = functions
    for (const { worker } of this.#readers) post(worker, { kind: 'open', functions })
  }

  /** Refuses what waits, lets finish what is being read, ends the threads. A thread that hangs in a statement is left to the end of the process. */
  async stop(): Promise<void> {
    this.#closing = true
    for (const { reject } of this.#waiting.splice(0)) reject(new Refusal('shutting_down', {}))
    const working = this.#readers.filter(({ isStuck }) => !isStuck)
    await Promise.all(working.map(reader => closeReader(reader)))
    this.#cancelLook?.()
    for (const { worker } of this.#readers) worker.terminate()
    this.#readers = []
  }

  #distribute(): void {
    while (this.#waiting.length > 0) {
      const reader = this.#free()
      if (reader === null) break
      const pending = this.#waiting.shift()
      if (pending !== undefined) this.#give(reader, pending)
    }
    if (this.#readers.some(({ posted }) => posted.length > 0)) this.#cancelLook ??= this.#clock.every(lookMs, () => this.#look())
  }

  /** The reader with the least to do, a new one before one that is busy; null when all have enough. */
  #free(): Reader | null {
    const working = this.#readers.filter(({ isStuck }) => !isStuck)
    const [least] = working.toSorted((a, b) => a.posted.length - b.posted.length)
    if (least !== undefined && least.posted.length === 0) return least
    // Threads that hang are replaced, so many at most; their cores are lost until the statement ends.
    if (working.length < this.#limits.readersMax && this.#readers.length < 2 * this.#limits.readersMax) return this.#open()
    return least !== undefined && least.posted.length < postedPerReaderMax ? least : null
  }

  #give(reader: Reader, pending: Pending): void {
    if (reader.posted.length === 0) reader.sinceMs = this.#clock.monotonic()
    reader.posted.push(pending)
    post(reader.worker, { kind: 'read', id: pending.id, ...pending.read })
  }

  #open(): Reader {
    const worker = new Worker(new URL('./reader-worker.ts', import.meta.url).href)
    const reader: Reader = { worker, posted: [], sinceMs: this.#clock.monotonic(), isReady: false, isStuck: false, closed: null }
    worker.onmessage = ({ data }: MessageEvent<FromReader>) => this.#take(reader, data)
    worker.onerror = event => this.#fence(`a reader thread failed: ${event.message}`)
    worker.addEventListener('close', () => {
      if (!this.#closing) this.#fence('a reader thread ended')
    })
    post(worker, { kind: 'open', functions: this.#functions })
    this.#readers.push(reader)
    return reader
  }

  #take(reader: Reader, message: FromReader): void {
    if (message.kind === 'closed') return reader.closed?.()
    if (message.kind === 'fatal' || message.kind === 'refused') return this.#fence(message.message)
    if (message.kind === 'ready') {
      if (!reader.isReady) reader.sinceMs = this.#clock.monotonic()
      reader.isReady = true
      return
    }
    const [first] = reader.posted
    // An answer to what was given up: the thread is free again.
    if (first === undefined || first.id !== message.id) {
      reader.isStuck = false
      return this.#distribute()
    }
    reader.posted.shift()
    reader.sinceMs = this.#clock.monotonic()
    if (message.kind === 'late') this.#late()
    settle(first, message)
    this.#distribute()
  }

  /** Gives up on reads that go on long after their deadline, and on those that waited too long. */
  #look(): void {
    const now = this.#clock.monotonic()
    for (const reader of this.#readers) {
      const [first] = reader.posted
      if (first === undefined || !reader.isReady || now - reader.sinceMs < first.read.deadlineMs * graceFactor + graceMs) continue
      reader.isStuck = true
      first.reject(new Refusal('query_too_costly', {}))
      this.#late()
      // What was to follow has not begun, and changes nothing: another reader takes it.
      this.#waiting.unshift(...reader.posted.splice(0).slice(1))
    }
    for (let first = this.#waiting[0]; first !== undefined && now - first.queuedAtMs > this.#limits.queuedMsMax; first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#late()
      first.reject(new Refusal('overloaded', { detail: 'the query waited too long for a free reader' }))
    }
    this.#distribute()
    if (this.#waiting.length > 0 || this.#readers.some(({ posted }) => posted.length > 0)) return
    this.#cancelLook?.()
    this.#cancelLook = null
  }
}

function settle({ resolve, reject }: Pending, message: FromReader): void {
  switch (message.kind) {
    case 'rows':
      return resolve({ rows: message.rows, columns: message.columns })
    case 'text':
      return resolve({ text: message.text })
    case 'late':
      return reject(new Refusal('query_too_costly', {}))
    case 'denied':
      return reject(new Refusal(message.code, message.details))
    case 'failed':
      return reject(Object.assign(new StatementError(message.problem.errno, message.problem.message), { cause: message.stack }))
  }
}

function closeReader(reader: Reader): Promise<void> {
  return new Promise(resolve => {
    reader.closed = resolve
    post(reader.worker, { kind: 'close' })
  })
}

function post(worker: Worker, message: ToReader): void {
  worker.postMessage(message)
}
