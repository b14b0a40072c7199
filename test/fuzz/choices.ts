/** What a fuzz run does next: operations with values at and around every border, chosen by a seed. */
import type { Random } from '../crash/random.ts'
import type { Body, Lifetime, Model, ModelAppend, ModelCreate, ModelStream, Producer } from './model.ts'

export const paths = ['a', 'b', 'c', 'deep/er/name', 'ü/ÿ', 'z z', 'Z', 'a/b', 'fork/1', 'fork/2'] as const
const types = ['application/json', 'text/plain', 'application/octet-stream'] as const

export class Choices {
  constructor(
    readonly random: Random,
    readonly model: Model,
  ) {}

  path(): string {
    return this.random.pick(paths) ?? 'a'
  }

  /** Mostly a path that has a stream. */
  usedPath(): string {
    const used = [...this.model.streams.keys()]
    return (this.random.chance(0.9) ? this.random.pick(used) : undefined) ?? this.path()
  }

  append(path = this.usedPath()): ModelAppend {
    const { random } = this
    const stream = this.model.streams.get(path)
    const mediaType = random.chance(0.95) ? (stream?.contentType ?? 'text/plain') : this.type()
    const closes = random.chance(0.03)
    const body = closes && random.chance(0.5) ? null : this.body(mediaType, 1)
    return { path, mediaType, body, closes, seq: random.chance(0.2) ? this.seq(stream) : null, producer: random.chance(0.4) ? this.producer(stream) : null }
  }

  create(path = this.path(), mayFork = true): ModelCreate {
    const { random } = this
    const existing = this.model.streams.get(path)
    if (existing && random.chance(0.3)) return this.#again(existing)
    const source = mayFork && random.chance(0.5) ? this.usedPath() : null
    const fork = source === null || source === path ? null : { from: source, ...this.#forkPlace(this.model.streams.get(source)) }
    const contentType = fork ? (random.chance(0.9) ? null : this.type()) : random.chance(0.9) ? this.type() : null
    const effective = contentType ?? (fork ? this.model.streams.get(fork.from)?.contentType : undefined) ?? 'application/octet-stream'
    const body = random.chance(0.5) ? this.body(effective, 0) : emptyBody
    return { path, contentType, life: this.life(), closed: random.chance(0.05), fork, body }
  }

  offset(stream: ModelStream | undefined): number | '-1' | 'now' {
    const { random } = this
    if (random.chance(0.1)) return '-1'
    if (random.chance(0.05)) return 'now'
    if (stream === undefined) return 0
    if (random.chance(0.1)) return random.between(0, stream.tail + 5)
    return this.#boundary(stream)
  }

  type(): string {
    return this.random.pick(types) ?? 'text/plain'
  }

  body(mediaType: string, least: number): Body {
    if (mediaType === 'application/json') return this.#jsonBody(least)
    const stored = Buffer.from(Array.from({ length: this.#length() }, () => this.random.between(0, 255)))
    return { stored, valueLengths: [stored.length], bad: null }
  }

  life(): Lifetime {
    const { random } = this
    if (random.chance(0.7)) return { ttlSecs: null, expiresAtMs: null }
    if (random.chance(0.6)) return { ttlSecs: random.pick([0, 5, 20, 60, 300, Number.MAX_SAFE_INTEGER]) ?? 5, expiresAtMs: null }
    return { ttlSecs: null, expiresAtMs: Date.UTC(2026, 0, 1) + random.between(-2, 400) * 1000 }
  }

  seq(stream: ModelStream | undefined): string {
    return this.random.chance(0.7) ? `${stream?.seq ?? ''}${this.random.pick(['0', 'a', 'z'])}` : String(this.random.between(0, 30))
  }

  producer(stream: ModelStream | undefined): Producer {
    const { random } = this
    const id = random.pick(['p', 'q', 'a producer with a longer name']) ?? 'p'
    const known = stream?.producers.get(id)
    if (known === undefined) return { id, epoch: random.pick([0, 0, 7, Number.MAX_SAFE_INTEGER]) ?? 0, seq: random.chance(0.9) ? 0 : 1 }
    const epoch = random.chance(0.85) ? known.epoch : Math.min(Math.max(0, known.epoch + random.between(-1, 1)), Number.MAX_SAFE_INTEGER)
    if (epoch !== known.epoch) return { id, epoch, seq: random.chance(0.8) ? 0 : 1 }
    return { id, epoch, seq: random.chance(0.7) ? known.seq + 1 : Math.max(0, known.seq + random.between(-2, 3)) }
  }

  #again(existing: ModelStream): ModelCreate {
    const { contentType, life, closed, origin: fork, path } = existing
    return { path, contentType, life, closed, fork, body: emptyBody }
  }

  #forkPlace(source: ModelStream | undefined): { offset: number | null; subOffset: number } {
    const { random } = this
    if (source === undefined || random.chance(0.2)) return { offset: null, subOffset: 0 }
    const offset = random.chance(0.9) ? this.#boundary(source) : random.between(0, source.tail + 3)
    return { offset, subOffset: random.chance(0.5) ? 0 : random.between(0, source.json ? 4 : 40) }
  }

  #boundary(stream: ModelStream): number {
    return this.random.pick([0, ...stream.pieces.map(piece => piece.end)]) ?? 0
  }

  #length(): number {
    const { random } = this
    if (random.chance(0.02)) return random.between(30_000, 80_000)
    return random.chance(0.1) ? random.between(200, 3000) : random.between(1, 60)
  }

  #jsonBody(least: number): Body {
    const { random } = this
    if (random.chance(0.03)) return { stored: Buffer.from('{"open'), valueLengths: [], bad: 'invalid_json' }
    const values = Array.from({ length: random.chance(0.8) ? 1 : random.between(0, 6) }, () => this.#jsonText())
    if (values.length < least) return { stored: Buffer.from('[]'), valueLengths: [], bad: 'empty_array' }
    const stored = Buffer.from(values.map(value => `${value},`).join(''))
    return { stored, valueLengths: values.map(value => Buffer.byteLength(value) + 1), bad: null }
  }

  #jsonText(): string {
    const { random } = this
    const inner = 'x'.repeat(random.chance(0.02) ? 40_000 : random.between(0, 30))
    const texts = ['1', '1.0', '1e400', 'null', `"${inner}"`, `{"a" : [1,{"b":"],[\\"${inner}"}] }`, '[[],[","]]', '"ü😀"', `"\\\\"`, '123456789012345678901234567890']
    return random.pick(texts) ?? '1'
  }
}

export const emptyBody: Body = { stored: Buffer.alloc(0), valueLengths: [], bad: null }
