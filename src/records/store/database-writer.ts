/** The HTTP thread's end of one database's writer: gathers programs into groups, keeps order, gives results back. Running them is group-writer.ts. */
import { must } from '../../lib/assert.ts'
import { fail, Refusal } from '../../lib/errors.ts'
import type { Program, ProgramResult } from '../../storage/program.ts'
import type { Unrun } from '../../storage/program-runner.ts'
import type { ExclusiveOutcome, FromWriter, Script, ThreadSettings, ToWriter } from './messages.ts'
import { decodeOutcomes, programBytes, ProgramEncoder } from './wire.ts'

export interface WriterLimits {
  /** Programs that may wait for a commit, those in flight included. */
  readonly queuedProgramsMax: number
  /** Bytes of their values. */
  readonly queuedBytesMax: number
  /** Programs of one transaction. */
  readonly groupProgramsMax: number
}

export const defaultWriterLimits: WriterLimits = { queuedProgramsMax: 16_384, queuedBytesMax: 128 * 1024 * 1024, groupProgramsMax: 1024 }

/** Messages that the thread has before it. With two, fewer programs a second were written (docs/measurements.md), presumably because each group was smaller. */
const postedMax = 1 // and no more: programs and outcomes are in memory that the next group writes again

export interface WriterParts {
  readonly limits: WriterLimits
  /** Ends the process: after a failed commit nothing may be acknowledged. */
  readonly fence: (message: string) => void
  readonly walGrown: () => void
  readonly monotonicMs: () => number
  /** After a group was answered, `ms` after it was posted. */
  readonly answered: (programs: number, ms: number) => void
  /** After the results of a commit are delivered. */
  readonly committed: (txn: number) => void
}

interface WaitingProgram {
  readonly program: Program
  readonly bytes: number
  readonly resolve: (result: ProgramResult) => void
  readonly reject: (error: Error) => void
}

/** One message to the thread, and what to do with its answer. Programs gather in the last one until it is sent. */
interface Job {
  readonly programs: WaitingProgram[] | null
  readonly message: (number: number) => ToWriter
  readonly settle: (answer: FromWriter, postedAtMs: number) => void
  readonly reject: (error: Error) => void
}

export class DatabaseWriter {
  readonly #parts: WriterParts
  #settings: ThreadSettings
  #worker: Worker | null = null
  /** The thread was told to open its file. */
  #isOpen = false
  #encoder = new ProgramEncoder()
  readonly #waiting: Job[] = []
  readonly #posted: Job[] = []
  #queuedPrograms = 0
  #queuedBytes = 0
  #number = 0
  #postedAtMs = 0
  #scheduled = false
  #state: 'open' | 'closing' | 'fenced' = 'open'
  #idle: PromiseWithResolvers<void> | null = null
  #closed: PromiseWithResolvers<void> | null = null

  /** Takes writes at once; the thread starts at the first: a database that nobody writes needs none. */
  constructor(settings: ThreadSettings, parts: WriterParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /** Programs that wait for their commit. */
  get queuedPrograms(): number {
    return this.#queuedPrograms
  }

  /** Resolves when the program is synced or known to have failed. Refuses `overloaded`, `insufficient_storage`, `shutting_down`. */
  write(program: Program): Promise<ProgramResult> {
    // What is thrown in here rejects.
    return new Promise((resolve, reject) => {
      this.#admit()
      const bytes = programBytes(program)
      const { queuedProgramsMax, queuedBytesMax } = this.#parts.limits
      if (this.#queuedPrograms >= queuedProgramsMax || (this.#queuedPrograms > 0 && this.#queuedBytes + bytes > queuedBytesMax)) {
        fail('overloaded', { detail: 'too many writes wait for the disk' })
      }
      this.#gather({ program, bytes, resolve, reject })
    })
  }

  /** Runs `scripts` after everything that was written before, and before everything that is written after. */
  exclusive(scripts: readonly Script[], transaction: boolean): Promise<ExclusiveOutcome> {
    this.#admit()
    const { promise, resolve, reject } = Promise.withResolvers<ExclusiveOutcome>()
    const settle = (answer: FromWriter) => {
      if (answer.kind !== 'excluded') return
      if (answer.outcome.ok === null) return reject(refusalOf(answer.outcome))
      resolve(answer.outcome)
      if (answer.outcome.ok && answer.outcome.txn !== null) this.#tellCommitted(answer.outcome.txn)
    }
    this.#enqueue({ programs: null, message: number => ({ kind: 'exclusive', number, scripts, transaction }), settle, reject })
    return promise
  }

  /** Opens the connection anew between two groups. */
  reopen(settings: ThreadSettings): Promise<void> {
    this.#admit()
    this.#settings = settings
    if (!this.#isOpen && this.#waiting.length === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    // What is not open takes the settings when it opens.
    this.#enqueue({ programs: null, message: () => ({ kind: 'reopen', settings }), settle: () => resolve(), reject: () => resolve() })
    return promise
  }

  /** The WAL was copied by another thread. */
  restartWal(): void {
    if (this.#state !== 'fenced' && this.#closed === null && this.#isOpen) this.#post({ kind: 'checkpoint' })
  }

  /** Takes nothing more; resolves when all that waits is written. */
  async drain(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing'
    if (this.#posted.length === 0 && this.#waiting.length === 0) return
    this.#idle ??= Promise.withResolvers()
    await this.#idle.promise
  }

  /** Writes what waits, then closes. */
  async stop(): Promise<void> {
    await this.drain()
    if (this.#state !== 'fenced' && this.#isOpen) {
      this.#closed = Promise.withResolvers()
      this.#post({ kind: 'close' })
      await this.#closed.promise
    }
    this.#closed ??= Promise.withResolvers()
    this.#worker?.terminate()
  }

  #admit(): void {
    if (this.#state === 'closing') fail('shutting_down', {})
    if (this.#state === 'fenced') fail('storage_fenced', {})
  }

  #gather(waiting: WaitingProgram): void {
    this.#queuedPrograms++
    this.#queuedBytes += waiting.bytes
    const programs = this.#waiting.at(-1)?.programs
    if (programs && programs.length < this.#parts.limits.groupProgramsMax) programs.push(waiting)
    else this.#enqueue(this.#group([waiting]))
  }

  #group(programs: WaitingProgram[]): Job {
    return {
      programs,
      message: number => ({ kind: 'group', number, group: this.#encoder.encode(programs.map(({ program }) => program), bytesOf(programs)) }),
      settle: (answer, postedAtMs) => this.#settle(programs, answer, postedAtMs),
      reject: error => programs.forEach(each => each.reject(error)),
    }
  }

  #enqueue(job: Job): void {
    this.#waiting.push(job)
    this.#schedule()
  }

  /** After the tick, so that all that it brings is one group. */
  #schedule(): void {
    if (this.#scheduled || this.#posted.length >= postedMax) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      while (this.#posted.length < postedMax && this.#state !== 'fenced') {
        const job = this.#waiting.shift()
        if (job === undefined) return
        this.#posted.push(job)
        this.#postedAtMs = this.#parts.monotonicMs()
        this.#post(job.message(++this.#number))
      }
    })
  }

  #take(message: FromWriter): void {
    switch (message.kind) {
      case 'walGrown':
        return this.#parts.walGrown()
      case 'closed':
        return this.#closed?.resolve()
      case 'fatal':
        return this.#fail(message.message)
      case 'refused':
        return this.#fail(`${message.message}; ${message.remedy}`)
      case 'opened':
        return
      case 'unopened':
        return this.#unopened(message.message)
      default:
        return this.#answered(message)
    }
  }

  /** Messages are answered in their order. */
  #answered(answer: FromWriter): void {
    const job = must(this.#posted.shift(), 'an answer has its question')
    const postedAtMs = this.#postedAtMs
    this.#schedule()
    job.settle(answer, postedAtMs)
    if (this.#posted.length === 0 && this.#waiting.length === 0) this.#idle?.resolve()
  }

  #settle(programs: readonly WaitingProgram[], answer: FromWriter, postedAtMs: number): void {
    if (answer.kind !== 'done') return
    this.#parts.answered(programs.length, this.#parts.monotonicMs() - postedAtMs)
    this.#queuedPrograms -= programs.length
    this.#queuedBytes -= bytesOf(programs)
    const outcomes = decodeOutcomes(answer.outcomes, programs.length)
    for (const [index, { resolve, reject }] of programs.entries()) {
      const outcome = must(outcomes[index], 'every program has an outcome')
      if (outcome.ok === null) reject(refusalOf(outcome))
      else resolve(outcome)
    }
    if (answer.committed !== null) this.#tellCommitted(answer.committed)
  }

  /** Whoever waits for a result goes on first. */
  #tellCommitted(txn: number): void {
    setImmediate(() => this.#parts.committed(txn))
  }

  /** No room to open the file: nothing of what waits was run. The next write tries again. */
  #unopened(message: string): void {
    this.#isOpen = false
    // The other side has forgotten, too, which texts it knew.
    this.#encoder = new ProgramEncoder()
    this.#rejectAll(new Refusal('insufficient_storage', { detail: message }))
  }

  #fail(message: string): void {
    if (this.#state === 'fenced') return
    this.#state = 'fenced'
    this.#rejectAll(new Refusal('storage_fenced', {}))
    this.#closed?.resolve()
    this.#parts.fence(message)
  }

  #rejectAll(error: Refusal): void {
    this.#queuedPrograms = 0
    this.#queuedBytes = 0
    for (const job of [...this.#posted.splice(0), ...this.#waiting.splice(0)]) job.reject(error)
    this.#idle?.resolve()
  }

  #post(message: ToWriter): void {
    this.#worker ??= this.#start()
    if (!this.#isOpen) this.#worker.postMessage({ kind: 'open', settings: this.#settings } satisfies ToWriter)
    this.#isOpen = true
    this.#worker.postMessage(message)
  }

  #start(): Worker {
    const worker = new Worker(new URL('./writer-worker.ts', import.meta.url).href)
    worker.onmessage = ({ data }: MessageEvent<FromWriter>) => this.#take(data)
    worker.onerror = event => this.#fail(`a writer thread failed: ${event.message}`)
    worker.addEventListener('close', () => {
      if (this.#closed === null) this.#fail('a writer thread ended')
    })
    return worker
  }
}

function bytesOf(programs: readonly WaitingProgram[]): number {
  return programs.reduce((sum, { bytes }) => sum + bytes, 0)
}

function refusalOf({ why, message }: Unrun): Refusal {
  return why === 'full' ? new Refusal('insufficient_storage', { detail: message }) : new Refusal('overloaded', { detail: message })
}
