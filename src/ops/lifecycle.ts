/** The order in which the server starts, reloads and stops, and what signals do. What is started comes in as functions. */
import { AssertionError } from '../lib/assert.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Health } from './health.ts'
import type { Notify } from './notify.ts'

export interface LifecycleOptions {
  readonly health: Health
  readonly notify: Notify
  readonly clock: Clock
  readonly log: Log
  /** Between "not ready" and closing the listeners, for load balancers to notice. 0 = none. */
  readonly readinessDelayMs: number
  /** For answers in flight, live readers included, to end. */
  readonly drainMs: number
  /** Ends the process at once: a second signal, or a fault that leaves memory in doubt. */
  readonly exit: (code: number) => void
}

/** Stopped in this order. Stores close one after another, the last opened first; the rest of a phase stops together. */
export type StopPhase = 'listeners' | 'work' | 'stores'
const phases: readonly StopPhase[] = ['listeners', 'work', 'stores']

/** Bounds of the phases; listeners get this on top of drainMs. Stores flush and checkpoint; a cut is still crash-safe. */
const phaseMsMax: Readonly<Record<StopPhase, number>> = { listeners: 2_000, work: 5_000, stores: 20_000 }

/** Exit codes: 0 stopped as asked, 1 a fault at run time. Others come with an OperatorError. */
const exitFault = 1
const signalNumbers = { SIGINT: 2, SIGTERM: 15 } as const

interface Stop {
  readonly name: string
  readonly run: () => void | Promise<void>
}

export class Lifecycle {
  readonly #options: LifecycleOptions
  readonly #stops: Record<StopPhase, Stop[]> = { listeners: [], work: [], stores: [] }
  readonly #reloads: Stop[] = []
  readonly #stopping = new AbortController()
  readonly #loops = new AbortController()
  readonly #finished = Promise.withResolvers<number>()
  #stopStarted = false
  #exitCode = 0
  #reloading: Promise<void> = Promise.resolve()

  constructor(options: LifecycleOptions) {
    this.#options = options
  }

  /** Aborts when the server begins to stop: live readers end with a position to come back to. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Runs one step of the start and logs how long it took. A step that fails ends the start with its error. */
  async step<T>(name: string, run: () => T | Promise<T>): Promise<T> {
    const { clock, log, notify } = this.#options
    const startedAt = clock.monotonic()
    notify.status(`starting: ${name}`)
    const result = await run()
    log.debug('start', { step: name, ms: Math.round(clock.monotonic() - startedAt) })
    return result
  }

  /** Registers what has to be stopped. */
  onStop(phase: StopPhase, name: string, run: () => void | Promise<void>): void {
    this.#stops[phase].push({ name, run })
  }

  /** Registers what SIGHUP reads again. One that throws keeps its old state and is logged; the others still run. */
  onReload(name: string, run: () => void | Promise<void>): void {
    this.#reloads.push({ name, run })
  }

  /** Runs a background loop until its signal aborts. One that ends before, or throws, makes the server not ready. */
  loop(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    const { health, log } = this.#options
    const signal = this.#loops.signal
    const tell = health.state(`loop ${name}`, null)
    const died = (error: unknown) => {
      if (signal.aborted) return
      tell('the loop ended')
      log.error('a background loop ended; the server is not ready any more', { loop: name, error })
    }
    const running = (async () => run(signal))().then(() => died(undefined), died)
    this.onStop('work', `loop ${name}`, () => running)
  }

  /** Everything runs: readiness turns on and systemd is told. */
  ready(status: string): void {
    const { health, notify } = this.#options
    health.started()
    notify.ready()
    notify.status(status)
  }

  /** Takes signals and uncaught errors from now on. Resolves with the exit code when everything has stopped. */
  async run(): Promise<number> {
    const { log, exit } = this.#options
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (!this.#stopStarted) return void this.stop(signal)
        log.warn('second signal: ending at once', { signal })
        exit(128 + signalNumbers[signal])
      })
    }
    process.on('SIGHUP', () => void this.reload())
    const fault = (error: unknown) => {
      log.fatal('uncaught error: ending at once', { error })
      exit(exitFault)
    }
    process.on('uncaughtException', fault)
    process.on('unhandledRejection', error => {
      // A promise that nobody awaited left nothing half done, and a client that can cause one must not end the server.
      if (error instanceof AssertionError) fault(error)
      else log.error('unhandled rejection', { error })
    })
    return this.#finished.promise
  }

  /** A fault from which the server does not go on (a writer died, storage failed): stops in order, exit code 1. */
  fail(error: unknown): void {
    this.#exitCode = exitFault
    this.#options.log.fatal('the server cannot go on', { error })
    void this.stop('fault')
  }

  /** Runs the reloads one after another; a call during one waits for it. */
  async reload(): Promise<void> {
    const next = this.#reloading.then(() => this.#reloadAll())
    this.#reloading = next
    return next
  }

  /** Stops in order. Further calls wait for the first. Resolves with the exit code. */
  async stop(reason: string): Promise<number> {
    if (this.#stopStarted) return this.#finished.promise
    this.#stopStarted = true
    const { health, notify, clock, log, readinessDelayMs, drainMs } = this.#options
    const startedAt = clock.monotonic()
    health.drain()
    notify.stopping()
    log.info('stopping', { reason })
    if (readinessDelayMs > 0) await clock.sleep(readinessDelayMs)
    for (const phase of phases) await this.#stopPhase(phase, phaseMsMax[phase] + (phase === 'listeners' ? drainMs : 0))
    log.info('stopped', { ms: Math.round(clock.monotonic() - startedAt), exit_code: this.#exitCode })
    notify.close()
    this.#finished.resolve(this.#exitCode)
    return this.#exitCode
  }

  async #reloadAll(): Promise<void> {
    const { notify, log } = this.#options
    if (this.#stopStarted) return
    notify.reloading()
    for (const { name, run } of this.#reloads) {
      try {
        await run()
      } catch (error) {
        log.error('reload failed; the old state stays', { what: name, error })
      }
    }
    log.info('reloaded')
    notify.ready()
  }

  async #stopPhase(phase: StopPhase, boundMs: number): Promise<void> {
    const { clock, log } = this.#options
    const cancel = new AbortController()
    // Listeners are closed first and readers told in the same turn, so that none can come back to us.
    const stops = this.#stops[phase].toReversed()
    const stopped = phase === 'stores' ? this.#closeInTurn(stops) : Promise.all(stops.map(stop => this.#stopOne(stop, phase)))
    if (phase === 'listeners') this.#stopping.abort()
    if (phase === 'work') this.#loops.abort()
    const late = clock.sleep(boundMs, cancel.signal).then(() => false)
    const inTime = await Promise.race([stopped.then(() => true), late])
    cancel.abort()
    if (inTime) return
    log.error('something did not stop in time and is left behind', { phase, bound_ms: boundMs })
    if (phase === 'stores') this.#exitCode = exitFault
  }

  async #closeInTurn(stops: readonly Stop[]): Promise<void> {
    for (const stop of stops) await this.#stopOne(stop, 'stores')
  }

  async #stopOne(stop: Stop, phase: StopPhase): Promise<void> {
    try {
      await stop.run()
    } catch (error) {
      this.#options.log.error('stopping failed', { what: stop.name, error })
      if (phase === 'stores') this.#exitCode = exitFault
    }
  }
}
