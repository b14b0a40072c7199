/** Follows the change log of one database while somebody subscribes to it: each change is read once and told to the feeds of its table's APIs. */
import type { Clock } from '../../lib/clock.ts'
import type { Change, ChangeLog } from '../changes/change-log.ts'
import type { ApiFeed } from './api-feed.ts'
import { sliceMsMax } from './limits.ts'
import type { Subscriber } from './subscriber.ts'

export interface DatabaseFeedParts {
  readonly clock: Clock
  /** Called with the time from when a commit was heard of until its changes were told, ms. */
  readonly delivered: (lagMs: number) => void
  readonly failed: (error: unknown) => void
}

export class DatabaseFeed {
  readonly log: ChangeLog
  /** By the name of the API. */
  readonly apis = new Map<string, ApiFeed>()
  readonly #parts: DatabaseFeedParts
  #position = 0
  #heardMs: number | null = null
  #isRunning = false
  #sliceEndsMs = 0
  /** Subscribers that were written to since the last sending. */
  readonly #touched = new Set<Subscriber>()

  constructor(log: ChangeLog, parts: DatabaseFeedParts) {
    this.log = log
    this.#parts = parts
  }

  /** Whoever keeps up was told of all changes up to here. */
  get position(): number {
    return this.#position
  }

  /** Nobody is there. */
  get isIdle(): boolean {
    for (const feed of this.apis.values()) if (feed.size > 0) return false
    return true
  }

  /** Before the first subscriber comes: what happened until now is not for anybody. */
  begin(head: number): void {
    if (this.isIdle && !this.#isRunning) this.#position = head
  }

  /** What was written to `subscriber` goes out with the rest of this slice: one piece for many changes. */
  touch(subscriber: Subscriber): void {
    this.#touched.add(subscriber)
  }

  /** Changes may have come. Never waits: who committed gets the answer first. */
  wake(): void {
    if (this.isIdle) return
    this.#heardMs ??= this.#parts.clock.monotonic()
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(() => void this.#run())
  }

  /** Until nothing is left that was heard of: a commit may come at every wait. */
  async #run(): Promise<void> {
    try {
      this.#startSlice()
      do {
        while (!this.isIdle && (await this.#page())) continue
        await this.#flush()
      } while (!this.isIdle && this.#heardMs !== null)
    } catch (error) {
      this.#parts.failed(error)
    } finally {
      this.#heardMs = null
      this.#isRunning = false
    }
  }

  /** True when there may be more. */
  async #page(): Promise<boolean> {
    const heardMs = this.#heardMs
    this.#heardMs = null
    const page = this.log.page(this.#position)
    if (page.kind === 'lost') return this.#lose(page.horizon)
    for (const change of page.changes) {
      const later = this.#tell(change)
      if (later !== undefined) await later
    }
    await this.#flush()
    if (heardMs !== null) this.#parts.delivered(this.#parts.clock.monotonic() - heardMs)
    return page.changes.length > 0 || this.#heardMs !== null
  }

  /** Waits only where a rule is slow, and when others should have their turn. */
  #tell(change: Change): Promise<void> | undefined {
    const slow: Promise<void>[] = []
    for (const feed of this.apis.values()) {
      if (feed.size === 0 || feed.api.relation.name !== change.relation) continue
      const told = feed.deliver(change)
      if (told !== undefined) slow.push(told)
    }
    if (slow.length > 0) return this.#tellSlowly(change, slow)
    this.#position = change.seq
    return this.#parts.clock.monotonic() < this.#sliceEndsMs ? undefined : this.#yield()
  }

  async #tellSlowly({ seq }: Change, slow: readonly Promise<void>[]): Promise<void> {
    await this.#flush()
    await Promise.all(slow)
    this.#position = seq
  }

  async #yield(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    this.#startSlice()
  }

  /** Each is a call of the system: thousands of them would hold up everybody else. */
  async #flush(): Promise<void> {
    for (const subscriber of this.#touched) {
      this.#touched.delete(subscriber)
      subscriber.flush()
      if (this.#parts.clock.monotonic() >= this.#sliceEndsMs) await this.#yield()
    }
  }

  #startSlice(): void {
    this.#sliceEndsMs = this.#parts.clock.monotonic() + sliceMsMax
  }

  #lose(horizon: number): boolean {
    const change: Change = { seq: horizon, txn: 0, relation: '', operation: 'gap', old: null, new: null }
    for (const feed of this.apis.values()) feed.lose(change)
    this.#position = horizon
    return true
  }
}
