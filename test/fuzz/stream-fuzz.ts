/** A fuzz run: the same random operations on the real streams and on the model; every answer and at the end every byte compared. */
import { Refusal } from '../../src/lib/errors.ts'
import type { AppendResult, CreateResult } from '../../src/streams/commands.ts'
import { Random } from '../crash/random.ts'
import { offsetOf, StoreWorld, type Fields, type StoreKind } from '../support/stream-store.ts'
import { Choices } from './choices.ts'
import { Model, ModelRefusal, type Body, type ModelAppend, type ModelCreate, type ModelStream } from './model.ts'

export interface FuzzOptions {
  readonly kind: StoreKind
  readonly seed: number
  readonly steps: number
}

export interface FuzzTotals {
  steps: number
  accepted: number
  refused: number
  reopened: number
  /** Refusals by code. */
  readonly codes: Map<string, number>
}

const pageBytes = 700
const operations = { append: 44, create: 13, remove: 5, read: 22, head: 3, burst: 5, drain: 2, pass: 4, reopen: 1, full: 2 } as const
type OperationName = keyof typeof operations
/** Operations that a report of a difference shows. */
const tracedMax = 25

/** Runs until the steps are done; throws with the seed and the last operations when the two differ. */
export async function fuzzStreams(options: FuzzOptions): Promise<FuzzTotals> {
  const random = new Random(options.seed)
  const streamBytesMax = random.chance(0.5) ? 60_000 : 0
  const memoryBytesMax = random.chance(0.5) ? 250_000 : 50_000_000
  await using world = await StoreWorld.open(options.kind, { pageBytes, streamBytesMax, memoryBytesMax })
  const model = new Model({ streamBytesMax, memoryBytesMax: world.durable ? 0 : memoryBytesMax })
  const run = new FuzzRun(world, model, random)
  try {
    await run.go(options.steps)
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    throw new Error(`seed ${options.seed}, ${options.kind.mode}, step ${run.totals.steps}: ${reason}\n${run.trace.join('\n')}`)
  }
  return run.totals
}

class FuzzRun {
  readonly totals: FuzzTotals = { steps: 0, accepted: 0, refused: 0, reopened: 0, codes: new Map() }
  readonly trace: string[] = []
  readonly #choices: Choices
  readonly #names: OperationName[]
  readonly #sweeps: boolean

  constructor(
    readonly world: StoreWorld,
    readonly model: Model,
    readonly random: Random,
  ) {
    this.#choices = new Choices(random, model)
    this.#names = Object.entries(operations).flatMap(([name, weight]) => Array<OperationName>(weight).fill(name as OperationName))
    this.#sweeps = random.chance(0.7)
  }

  async go(steps: number): Promise<void> {
    if (this.#sweeps) this.world.streams.start()
    for (; this.totals.steps < steps; this.totals.steps++) await this.#step(this.random.pick(this.#names) ?? 'append')
    await this.#compareAll()
    if (this.world.durable) await this.#reopen()
    await this.#compareAll()
    await this.#removeAll()
    same('fences', this.world.fenced.join('; '), '')
  }

  async #step(name: OperationName): Promise<void> {
    switch (name) {
      case 'append':
        return this.#append(this.#choices.append())
      case 'create':
        return this.#create(this.#choices.create())
      case 'remove':
        return this.#remove(this.#choices.usedPath())
      case 'read':
        return this.#read(this.#choices.usedPath())
      case 'head':
        return this.#head(this.#choices.usedPath())
      case 'burst':
        return this.#burst()
      case 'drain':
        return this.world.drained()
      case 'pass':
        return this.#pass(this.random.pick([1, 3, 10, 45]) ?? 1)
      case 'reopen':
        return this.world.durable ? this.#reopen() : undefined
      case 'full':
        return this.world.durable ? this.#full() : undefined
    }
  }

  get #now(): number {
    return this.world.clock.now()
  }

  async #append(command: ModelAppend): Promise<void> {
    await this.#both(`append ${said(command)}`, () => this.model.append(command, this.#now), () => this.#realAppend(command))
  }

  async #create(command: ModelCreate): Promise<void> {
    await this.#both(`create ${said(command)}`, () => this.model.create(command, this.#now), () => this.#realCreate(command))
  }

  async #remove(path: string): Promise<void> {
    await this.#both(`remove ${path}`, () => this.model.remove(path, this.#now), () => this.#realRemove(path))
  }

  async #realRemove(path: string): Promise<string> {
    await this.world.remove(path)
    return 'removed'
  }

  async #realAppend(command: ModelAppend): Promise<string> {
    const fields: Record<string, string> = {}
    if (command.body) fields['content-type'] = command.mediaType
    if (command.closes) fields['stream-closed'] = 'true'
    if (command.seq !== null) fields['stream-seq'] = command.seq
    const { producer } = command
    if (producer) Object.assign(fields, { 'producer-id': producer.id, 'producer-epoch': String(producer.epoch), 'producer-seq': String(producer.seq) })
    return appendAnswer(await this.world.post(command.path, fields, command.body ? wireOf(command.body, command.mediaType) : ''))
  }

  async #realCreate(command: ModelCreate): Promise<string> {
    const source = command.fork && this.model.streams.get(command.fork.from)
    const effective = command.contentType ?? source?.contentType ?? 'application/octet-stream'
    return createAnswer(await this.world.put(command.path, fieldsOf(command), wireOf(command.body, effective)))
  }

  async #both(what: string, expect: () => string, act: () => Promise<string>): Promise<void> {
    this.#note(what)
    const wire = act // what is sent depends on the model as it was before the operation
    const real = answerOf(wire)
    const expected = expectedOf(expect)
    const answer = await real
    await this.world.settled() // sources that were kept for a fork go one after another, each in a group of its own
    same(what, answer, expected)
    this.#count(answer)
  }

  #read(path: string): void {
    const stream = this.model.streams.get(path)
    const offset = this.#choices.offset(stream)
    this.#note(`read ${path} from ${offset}`)
    const token = typeof offset === 'number' ? offsetOf(offset) : offset
    const real = answerOfSync(() => {
      const page = this.world.get(path, token)
      return pageAnswer(Buffer.from(page.body).toString('latin1'), page)
    })
    const expected = expectedOf(() => this.#expectedPage(path, offset))
    same(`read ${path} from ${offset}`, real, expected)
    this.#count(real)
  }

  #expectedPage(path: string, offset: number | '-1' | 'now'): string {
    const stream = this.model.writable(path, this.#now)
    const asked = offset === '-1' ? 0 : offset === 'now' ? stream.tail : Math.min(offset, stream.tail)
    const from = [asked, asked - 1].find(at => stream.isBoundary(at)) // y-durable-streams asks for the byte after a border
    if (from === undefined) throw new ModelRefusal('invalid_offset')
    this.model.touch(stream, this.#now, true)
    const { body, end } = stream.page(from, pageBytes)
    const upToDate = end === stream.tail
    return pageAnswer(body, { end, upToDate, closed: upToDate && stream.closed })
  }

  #head(path: string): void {
    const real = answerOfSync(() => JSON.stringify(this.world.head(path)))
    const expected = expectedOf(() => {
      const { contentType, life, tail, closed } = this.model.writable(path, this.#now)
      return JSON.stringify({ contentType, ttlSecs: life.ttlSecs, expiresAtMs: life.expiresAtMs, tail, closed })
    })
    same(`head ${path}`, real, expected)
  }

  /** Several writes that are decided one after another before the first of them is stored. Forks look at what is stored, so they stay out. */
  async #burst(): Promise<void> {
    const writes = Array.from({ length: this.random.between(2, 30) }, () => this.#burstWrite())
    const results = await Promise.all(writes.map(write => write.real))
    writes.forEach((write, i) => same(`in a burst: ${write.what}`, results[i] ?? '', write.expected))
  }

  #burstWrite(): { what: string; real: Promise<string>; expected: string } {
    const path = this.#choices.usedPath()
    const stream = this.model.streams.get(path)
    const isAlone = stream === undefined || (stream.forks === 0 && stream.parent === null)
    if (isAlone && this.random.chance(0.15)) return this.#begin(`remove ${path}`, () => this.model.remove(path, this.#now), () => this.#realRemove(path))
    if (isAlone && this.random.chance(0.2)) {
      const command = this.#choices.create(path, false)
      if (command.fork === null) {
        return this.#begin(`create ${said(command)}`, () => this.model.create(command, this.#now), () => this.#realCreate(command))
      }
    }
    const command = this.#choices.append(path)
    return this.#begin(`append ${said(command)}`, () => this.model.append(command, this.#now), () => this.#realAppend(command))
  }

  #begin(what: string, expect: () => string, act: () => Promise<string>): { what: string; real: Promise<string>; expected: string } {
    this.#note(`burst: ${what}`)
    const real = answerOf(act)
    return { what, real, expected: expectedOf(expect) }
  }

  /** Lets time pass in such a way that the sweeper gets to everything, if it runs. */
  async #pass(secs: number): Promise<void> {
    this.#note(`pass ${secs} s`)
    await this.world.drained()
    if (!this.#sweeps) return this.world.clock.advance(secs * 1000)
    for (let i = 0; i < secs; i++) {
      this.world.clock.advance(1000)
      await this.world.settled()
      this.model.sweep(this.#now)
    }
  }

  async #reopen(): Promise<void> {
    this.#note('reopen')
    await this.world.settled()
    await this.world.reopen()
    this.model.reopened()
    if (this.#sweeps) this.world.streams.start()
    this.totals.reopened++
    await this.#compareAll()
  }

  /** Writes that find no room: whatever was decided is taken back, alone and behind others. */
  async #full(): Promise<void> {
    await this.world.settled()
    this.world.full = true
    const writes = Array.from({ length: this.random.between(1, 12) }, () => this.#hopelessWrite())
    const results = await Promise.all(writes)
    await this.world.settled()
    this.world.full = false
    const wrong = results.filter(result => /^(appended|created|removed)/.test(result))
    same('writes without room', wrong.join('; '), '')
    await this.#compareAll()
  }

  #hopelessWrite(): Promise<string> {
    const path = this.#choices.usedPath()
    this.#note(`full: ${path}`)
    if (this.random.chance(0.15)) return answerOf(() => this.#realRemove(path))
    const create = this.#choices.create()
    if (this.random.chance(0.3)) return answerOf(() => this.#realCreate(create))
    const command = this.#choices.append(path)
    return answerOf(() => this.#realAppend(command))
  }

  /** Everything that can be seen of every stream. */
  async #compareAll(): Promise<void> {
    const listed = this.world.operator.list({ prefix: '', after: '', limit: 1000 }).map(each => each.path)
    const visible = [...this.model.streams.values()].filter(stream => !stream.hidden && !stream.expired(this.#now))
    same('the list', listed.join('|'), visible.map(stream => stream.path).sort(byBytes).join('|'))
    for (const stream of visible) this.#compareStream(stream)
    if (!this.world.durable) same('bytes in memory', String(this.world.streams.engine.memoryBytes), String(this.model.bytes))
  }

  #compareStream(stream: ModelStream): void {
    this.#head(stream.path)
    const info = this.world.operator.info(stream.path)
    const producers = (info?.producers ?? []).map(({ id, epoch, seq }) => `${id}:${epoch}:${seq}`).sort()
    same(`producers of ${stream.path}`, producers.join('|'), [...stream.producers.values()].map(({ id, epoch, seq }) => `${id}:${epoch}:${seq}`).sort().join('|'))
    same(`seq of ${stream.path}`, String(info?.seq), String(stream.seq))
    const records = Buffer.concat([...this.world.operator.records(stream.path)]).toString('latin1')
    same(`bytes of ${stream.path}`, records, Buffer.concat(stream.pieces.map(piece => piece.bytes)).toString('latin1'))
    const ends: number[] = []
    let end = 0
    for (const record of this.world.operator.records(stream.path)) ends.push((end += record.byteLength))
    same(`records of ${stream.path}`, ends.join(), stream.pieces.map(piece => piece.end).join())
  }

  /** When nothing is left, nothing is held. */
  async #removeAll(): Promise<void> {
    for (const path of [...this.model.streams.keys()]) await this.#remove(path)
    await this.#pass(1)
    for (const path of [...this.model.streams.keys()]) {
      if (!this.model.streams.get(path)?.hidden) await this.#create({ ...this.#choices.create(path, false), life: { ttlSecs: null, expiresAtMs: null } })
      await this.#remove(path)
    }
    if (!this.world.durable) same('bytes in memory at the end', String(this.world.streams.engine.memoryBytes), String(this.model.bytes))
  }

  #note(what: string): void {
    this.trace.push(`${this.totals.steps}: ${what}`)
    if (this.trace.length > tracedMax) this.trace.shift()
  }

  #count(answer: string): void {
    const code = /^refused (\S+)/.exec(answer)?.[1]
    if (code === undefined) this.totals.accepted++
    else {
      this.totals.refused++
      this.totals.codes.set(code, (this.totals.codes.get(code) ?? 0) + 1)
    }
  }
}

function fieldsOf(command: ModelCreate): Fields {
  const fields: Record<string, string> = {}
  if (command.contentType !== null) fields['content-type'] = command.contentType
  if (command.life.ttlSecs !== null) fields['stream-ttl'] = String(command.life.ttlSecs)
  if (command.life.expiresAtMs !== null) fields['stream-expires-at'] = new Date(command.life.expiresAtMs).toISOString()
  if (command.closed) fields['stream-closed'] = 'TRUE'
  const { fork } = command
  if (fork) {
    fields['stream-forked-from'] = `/v1/stream/${encodeURIComponent(fork.from)}`
    if (fork.offset !== null) fields['stream-fork-offset'] = offsetOf(fork.offset)
    if (fork.offset !== null && fork.subOffset > 0) fields['stream-fork-sub-offset'] = String(fork.subOffset)
  }
  return fields
}

/** How a body is sent: JSON values as an array, or one that is no array alone. */
function wireOf(body: Body, mediaType: string): Uint8Array {
  if (mediaType !== 'application/json' || body.bad !== null || body.stored.length === 0) return body.stored
  const inner = body.stored.subarray(0, -1)
  const isAlone = body.valueLengths.length === 1 && inner[0] !== 0x5b && inner.length % 2 === 0
  return isAlone ? inner : Buffer.concat([Buffer.from(' ['), inner, Buffer.from(']\n')])
}

function appendAnswer(result: AppendResult): string {
  const by = result.producer ? `${result.producer.epoch}/${result.producer.seq}` : 'nobody'
  return `${result.kind} ${result.tail} ${result.closed} ${by}`
}

function createAnswer(result: CreateResult): string {
  return `${result.created ? 'created' : 'found'} ${result.contentType} ${result.tail} ${result.closed}`
}

function pageAnswer(body: string, page: { end: number; upToDate: boolean; closed: boolean }): string {
  return `page to ${page.end}${page.upToDate ? ' tail' : ''}${page.closed ? ' closed' : ''}: ${body}`
}

async function answerOf(act: () => Promise<string>): Promise<string> {
  try {
    return await act()
  } catch (error) {
    return refusedAs(error)
  }
}

function answerOfSync(act: () => string): string {
  try {
    return act()
  } catch (error) {
    return refusedAs(error)
  }
}

function refusedAs(error: unknown): string {
  if (error instanceof Refusal) return `refused ${error.code}`
  throw error
}

function expectedOf(expect: () => string): string {
  try {
    return expect()
  } catch (error) {
    if (error instanceof ModelRefusal) return `refused ${error.code}`
    throw error
  }
}

function said(value: object): string {
  return JSON.stringify(value, (key, each: unknown) => (key === 'body' && each !== null ? '…' : each))
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function same(what: string, real: string, expected: string): void {
  if (real === expected) return
  let at = 0
  while (real[at] === expected[at]) at++
  throw new Error(`${what}\n  real:  ${JSON.stringify(shown(real, at))}\n  model: ${JSON.stringify(shown(expected, at))}`)
}

function shown(text: string, at: number): string {
  return text.length <= 300 ? text : `${text.slice(0, 60)}…[${at}]${text.slice(Math.max(0, at - 20), at + 100)}`
}
