/** The subscribers of one record API: who hears of a change, with one question for all that see the same. Reading changes is database-feed.ts. */
import type { Principal } from '../../lib/principal.ts'
import { hasAccess } from '../access.ts'
import type { Change, ChangePage, ReadNow } from '../changes/change-log.ts'
import type { Filter } from '../query/filter-tree.ts'
import type { RecordApi } from '../record-api.ts'
import { ApiChange, apiShape, type ApiShape, type EventTarget, type ReadAside, type Verdict } from './api-change.ts'
import { eventFilter } from './event-filter.ts'
import type { Source, Subscriber } from './subscriber.ts'
import type { Turn } from './turn.ts'

export interface ApiFeedParts {
  readonly readNow: ReadNow
  readonly readAside: ReadAside
  readonly position: () => number
  readonly page: (after: number) => ChangePage
  readonly touched: (subscriber: Subscriber) => void
  readonly turn: () => Turn
  readonly told: (what: 'event' | 'loss') => void
  readonly failed: (error: unknown) => void
  /** A subscriber's connection is over. */
  readonly ended: (subscriber: Subscriber, how: 'finished' | 'abandoned') => void
}

/** Subscribers to the table that see the same of every change. */
interface Gate {
  readonly principal: Principal
  readonly target: EventTarget
  readonly members: Set<Subscriber>
}

/** What a client asked for, apart from the catalog, which may change. */
export interface Wanted {
  /** Null: the table. */
  readonly recordKey: string | null
  readonly filter: Filter | null
}

export class ApiFeed implements Source {
  readonly #parts: ApiFeedParts
  readonly #wanted = new Map<Subscriber, Wanted>()
  #shape: ApiShape
  #gates = new Map<string, Gate>()
  #records = new Map<string, Set<Subscriber>>()

  constructor(api: RecordApi, parts: ApiFeedParts) {
    this.#parts = parts
    this.#shape = apiShape(api)
  }

  get api(): RecordApi {
    return this.#shape.api
  }

  get size(): number {
    return this.#wanted.size
  }

  get position(): number {
    return this.#parts.position()
  }

  get subscribers(): Iterable<Subscriber> {
    return this.#wanted.keys()
  }

  /** Refuses `invalid_query` for a filter that the API's columns do not allow. */
  target({ recordKey, filter }: Wanted): EventTarget {
    if (recordKey !== null) return { kind: 'record', key: recordKey }
    return { kind: 'table', filter: filter === null ? null : { key: JSON.stringify(filter), holds: eventFilter(this.api, filter) } }
  }

  add(subscriber: Subscriber, wanted: Wanted): void {
    this.#wanted.set(subscriber, wanted)
    this.#place(subscriber)
  }

  /** Another form of the API. Who may not see it any more is told so. */
  replace(api: RecordApi): void {
    this.#shape = apiShape(api)
    this.#gates = new Map()
    this.#records = new Map()
    for (const [subscriber, wanted] of [...this.#wanted]) {
      const target = hasAccess(api, 'read', subscriber.principal) ? this.#targetOrNull(wanted) : null
      if (target === null) {
        subscriber.expel()
        continue
      }
      subscriber.target = target
      this.#place(subscriber)
    }
  }

  /** The API is gone. */
  expelAll(): void {
    for (const subscriber of [...this.#wanted.keys()]) subscriber.expel()
  }

  /** Tells the subscribers that keep up. A promise where the rule is slow. */
  deliver(change: Change): void | Promise<void> {
    if (change.operation === 'gap') {
      for (const subscriber of this.#wanted.keys()) subscriber.lose(change)
      return
    }
    const asked = new ApiChange(this.#shape, change, this.#parts.readNow)
    return this.#shape.rule?.isSlow === true ? this.#deliverSlowly(asked, change) : this.#send(asked, change)
  }

  /** Of the log something was taken away that nobody had been told of. */
  lose(change: Change): void {
    for (const subscriber of this.#wanted.keys()) subscriber.lose(change)
  }

  page(after: number): ChangePage {
    return this.#parts.page(after)
  }

  judge(change: Change, subscriber: Subscriber): Verdict | Promise<Verdict> {
    if (change.relation !== this.api.relation.name) return 'skip'
    if (change.operation === 'gap') return 'unknown'
    const asked = new ApiChange(this.#shape, change, this.#parts.readNow)
    const { principal } = subscriber
    if (this.#shape.rule?.isSlow !== true) return asked.verdict(principal, subscriber.target)
    return asked.judgeAside([principal], this.#parts.readAside).then(() => asked.verdict(principal, subscriber.target))
  }

  turn(): Turn {
    return this.#parts.turn()
  }

  told(what: 'event' | 'loss'): void {
    this.#parts.told(what)
  }

  touched(subscriber: Subscriber): void {
    this.#parts.touched(subscriber)
  }

  failed(error: unknown): void {
    this.#parts.failed(error)
  }

  ended(subscriber: Subscriber, how: 'finished' | 'abandoned'): void {
    this.#wanted.delete(subscriber)
    for (const [key, gate] of this.#gatesOf(subscriber)) {
      gate.members.delete(subscriber)
      if (gate.members.size === 0) this.#gates.delete(key)
    }
    const { target } = subscriber
    const same = target.kind === 'record' ? this.#records.get(target.key) : undefined
    same?.delete(subscriber)
    if (target.kind === 'record' && same?.size === 0) this.#records.delete(target.key)
    this.#parts.ended(subscriber, how)
  }

  async #deliverSlowly(asked: ApiChange, change: Change): Promise<void> {
    const shape = this.#shape
    const principals = [...[...this.#gates.values()].map(gate => gate.principal), ...this.#concerned(asked).map(subscriber => subscriber.principal)]
    await asked.judgeAside(principals, this.#parts.readAside)
    // The rule is another one meanwhile: each looks anew.
    if (this.#shape === shape) await this.#send(asked, change)
    else for (const subscriber of this.#wanted.keys()) subscriber.fallBehind(change.seq - 1)
  }

  /** Waits when others should have their turn: filters are the clients', and there may be many. */
  #send(asked: ApiChange, change: Change): void | Promise<void> {
    const turn = this.#parts.turn()
    const steps = this.#steps(asked, change)
    while (steps.next().done !== true) {
      const others = turn.next()
      if (others !== undefined) return this.#sendRest(steps, turn, others)
    }
  }

  async #sendRest(steps: Generator<void>, turn: Turn, others: Promise<void>): Promise<void> {
    await others
    while (steps.next().done !== true) {
      const pause = turn.next()
      if (pause !== undefined) await pause
    }
  }

  /** One step for each group that sees the same. */
  *#steps(asked: ApiChange, change: Change): Generator<void> {
    const shape = this.#shape
    const groups: Iterable<Pick<Gate, 'principal' | 'target'> & { readonly members: Iterable<Subscriber> }> = [
      ...this.#gates.values(),
      ...this.#concerned(asked).map(subscriber => ({ principal: subscriber.principal, target: subscriber.target, members: [subscriber] })),
    ]
    for (const { principal, target, members } of groups) {
      const verdict = this.#shape === shape ? asked.verdict(principal, target) : 'unknown' // of another shape: each looks anew
      if (verdict !== 'skip') for (const subscriber of members) if (this.#wanted.has(subscriber)) tell(subscriber, change, verdict)
      yield
    }
  }

  /** Subscribers to the record of the change. */
  #concerned(asked: ApiChange): readonly Subscriber[] {
    return this.#records.size === 0 ? [] : asked.keys.flatMap(key => [...(this.#records.get(key) ?? [])])
  }

  #place(subscriber: Subscriber): void {
    const { principal, target } = subscriber
    if (target.kind === 'record') {
      const same = this.#records.get(target.key) ?? new Set()
      this.#records.set(target.key, same.add(subscriber))
      return
    }
    const key = this.#gateKey(subscriber)
    const gate = this.#gates.get(key) ?? { principal, target, members: new Set() }
    this.#gates.set(key, gate)
    gate.members.add(subscriber)
  }

  #gatesOf(subscriber: Subscriber): readonly (readonly [string, Gate])[] {
    const key = this.#gateKey(subscriber)
    const gate = this.#gates.get(key)
    return gate === undefined ? [] : [[key, gate]]
  }

  #gateKey({ principal, target }: Subscriber): string {
    const user = this.#shape.rule?.keyOf(principal)
    return JSON.stringify([user === undefined ? '' : user, target.kind === 'table' ? (target.filter?.key ?? '') : null])
  }

  #targetOrNull(wanted: Wanted): EventTarget | null {
    try {
      return this.target(wanted)
    } catch {
      return null
    }
  }
}

function tell(subscriber: Subscriber, change: Change, verdict: Verdict): void {
  if (verdict === 'skip') return
  if (verdict === 'denied') subscriber.deny(change)
  else if (verdict === 'unknown') subscriber.fallBehind(change.seq - 1)
  else subscriber.offer(change, verdict)
}
