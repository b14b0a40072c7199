/** A second, tiny implementation of streams: lists in memory, no queues, no shards, no files. What the real one is compared with. */

export interface Producer {
  readonly id: string
  readonly epoch: number
  readonly seq: number
}

/** A record, or the part of one that a fork took over: its bytes and the position after them. */
interface Piece {
  readonly end: number
  readonly bytes: Buffer
  /** Ends of the JSON values in the piece, from its first byte. */
  readonly valueEnds: readonly number[]
}

export interface Lifetime {
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
}

export interface ModelFork {
  readonly from: string
  readonly offset: number | null
  readonly subOffset: number
}

export class ModelStream {
  pieces: Piece[] = []
  start = 0
  closed = false
  closedBy: Producer | null = null
  seq: string | null = null
  hidden = false
  forks = 0
  parent: ModelStream | null = null
  origin: ModelFork | null = null
  readonly producers = new Map<string, Producer>()
  storedTouchMs: number

  constructor(
    readonly path: string,
    readonly contentType: string,
    readonly life: Lifetime,
    public touchedAtMs: number,
  ) {
    this.storedTouchMs = touchedAtMs
  }

  get json(): boolean {
    return this.contentType === 'application/json'
  }

  get tail(): number {
    return this.pieces.at(-1)?.end ?? 0
  }

  get ownBytes(): number {
    return this.tail - this.start
  }

  expired(nowMs: number): boolean {
    const { ttlSecs, expiresAtMs } = this.life
    if (expiresAtMs !== null) return nowMs >= expiresAtMs
    return ttlSecs !== null && nowMs >= this.touchedAtMs + ttlSecs * 1000
  }

  isBoundary(at: number): boolean {
    return at === 0 || this.pieces.some(piece => piece.end === at)
  }

  add(bytes: Buffer, valueLengths: readonly number[]): void {
    if (bytes.length === 0) return
    let end = 0
    const valueEnds = valueLengths.map(length => (end += length))
    this.pieces.push({ end: this.tail + bytes.length, bytes, valueEnds })
  }

  /** Whole records from `from` on, about `pageBytes` of them. */
  page(from: number, pageBytes: number): { body: string; end: number } {
    const taken: Buffer[] = []
    let end = from
    for (const piece of this.pieces) {
      if (piece.end <= from) continue
      if (end > from && piece.end > from + pageBytes) break
      taken.push(piece.bytes)
      end = piece.end
    }
    return { body: this.framed(Buffer.concat(taken)), end }
  }

  framed(bytes: Buffer): string {
    const text = bytes.toString('latin1')
    return this.json ? `[${text.slice(0, -1)}]` : text
  }

  /** What a fork that leaves at `cut` takes over. */
  piecesUpTo(cut: number): Piece[] {
    const kept: Piece[] = []
    for (const piece of this.pieces) {
      const start = piece.end - piece.bytes.length
      if (start >= cut) break
      const bytes = piece.bytes.subarray(0, cut - start)
      kept.push({ end: start + bytes.length, bytes, valueEnds: piece.valueEnds.filter(end => end <= bytes.length) })
    }
    return kept
  }
}

export class ModelRefusal extends Error {
  constructor(readonly code: string) {
    super(code)
  }
}

function refuse(code: string): never {
  throw new ModelRefusal(code)
}

export interface ModelLimits {
  readonly streamBytesMax: number
  /** 0 where streams are not kept in memory. */
  readonly memoryBytesMax: number
}

export interface Body {
  readonly stored: Buffer
  readonly valueLengths: readonly number[]
  /** The code with which a body like this is refused in its turn. */
  readonly bad: string | null
}

export interface ModelAppend {
  readonly path: string
  readonly mediaType: string
  readonly body: Body | null
  readonly closes: boolean
  readonly seq: string | null
  readonly producer: Producer | null
}

export interface ModelCreate {
  readonly path: string
  readonly contentType: string | null
  readonly life: Lifetime
  readonly closed: boolean
  readonly fork: ModelFork | null
  readonly body: Body
}

export class Model {
  readonly streams = new Map<string, ModelStream>()

  constructor(readonly limits: ModelLimits) {}

  get bytes(): number {
    return [...this.streams.values()].reduce((sum, stream) => sum + stream.ownBytes, 0)
  }

  writable(path: string, nowMs: number): ModelStream {
    const stream = this.streams.get(path)
    if (stream === undefined) return refuse('stream_not_found')
    if (stream.hidden) refuse('gone')
    return stream.expired(nowMs) ? refuse('stream_not_found') : stream
  }

  append(command: ModelAppend, nowMs: number): string {
    const stream = this.writable(command.path, nowMs)
    const { producer, body } = command
    if (stream.closed) return closedAnswer(stream, command)
    if (body !== null && command.mediaType !== stream.contentType) refuse('content_type_mismatch')
    const duplicate = producer && producerAnswer(stream, producer)
    if (duplicate) return duplicate
    if (command.seq !== null && stream.seq !== null && command.seq <= stream.seq) refuse('sequence_conflict')
    if (body?.bad) refuse(body.bad)
    this.#assertRoom(stream.ownBytes, body?.stored.length ?? 0)
    if (body) stream.add(body.stored, body.valueLengths)
    if (command.seq !== null) stream.seq = command.seq
    if (producer) stream.producers.set(producer.id, producer)
    if (command.closes) [stream.closed, stream.closedBy] = [true, producer]
    stream.touchedAtMs = stream.storedTouchMs = nowMs
    return appended(body === null ? 'closed' : 'appended', stream, producer)
  }

  create(command: ModelCreate, nowMs: number): string {
    const existing = this.streams.get(command.path)
    if (existing && (existing.hidden || !existing.expired(nowMs))) return this.#repeated(existing, command)
    const source = command.fork && this.#source(command.fork.from, nowMs)
    if (source && command.contentType !== null && command.contentType !== source.contentType) refuse('content_type_mismatch')
    const contentType = command.contentType ?? source?.contentType ?? 'application/octet-stream'
    const cut = source && command.fork ? forkCut(source, command.fork) : 0
    if (command.body.bad && contentType === 'application/json') refuse(command.body.bad)
    this.#assertRoom(0, command.body.stored.length)
    if (existing) this.#makeWay(existing)
    const stream = new ModelStream(command.path, contentType, this.#life(command, source), nowMs)
    if (source) {
      stream.pieces = source.piecesUpTo(cut)
      stream.start = cut
      stream.parent = source
      stream.origin = command.fork
      source.forks++
    }
    stream.add(command.body.stored, command.body.valueLengths)
    stream.closed = command.closed
    this.streams.set(command.path, stream)
    return `created ${contentType} ${stream.tail} ${stream.closed}`
  }

  remove(path: string, nowMs: number): string {
    this.#end(this.writable(path, nowMs))
    return 'removed'
  }

  /** A read that found its place renews a sliding window; what is stored of that lags by a tenth of it. */
  touch(stream: ModelStream, nowMs: number, stores: boolean): void {
    const { ttlSecs } = stream.life
    if (ttlSecs === null || nowMs <= stream.touchedAtMs) return
    stream.touchedAtMs = nowMs
    if (stores && nowMs - stream.storedTouchMs > ttlSecs * 100) stream.storedTouchMs = nowMs
  }

  /** What the sweeper does when it gets to it. */
  sweep(nowMs: number): void {
    for (const stream of [...this.streams.values()]) {
      if (stream.hidden || this.streams.get(stream.path) !== stream) continue
      if (stream.expired(nowMs)) this.#end(stream)
      else if (stream.life.ttlSecs !== null && stream.storedTouchMs + stream.life.ttlSecs * 1000 <= nowMs) stream.storedTouchMs = stream.touchedAtMs
    }
  }

  /** What is left of the times after the store was opened again. */
  reopened(): void {
    for (const stream of this.streams.values()) stream.touchedAtMs = stream.storedTouchMs
  }

  #life(command: ModelCreate, source: ModelStream | null): Lifetime {
    const { ttlSecs, expiresAtMs } = command.life
    return source && ttlSecs === null && expiresAtMs === null ? source.life : command.life
  }

  #repeated(existing: ModelStream, command: ModelCreate): string {
    if (existing.hidden) refuse('path_blocked')
    const life = this.#life(command, existing.parent)
    const wantedType = command.contentType ?? (existing.origin ? existing.contentType : 'application/octet-stream')
    const same =
      wantedType === existing.contentType &&
      Bun.deepEquals(command.fork, existing.origin) &&
      life.ttlSecs === existing.life.ttlSecs &&
      life.expiresAtMs === existing.life.expiresAtMs &&
      existing.closed === command.closed
    return same ? `found ${existing.contentType} ${existing.tail} ${existing.closed}` : refuse('stream_exists')
  }

  #source(path: string, nowMs: number): ModelStream {
    const source = this.streams.get(path)
    if (source === undefined) return refuse('fork_source_not_found')
    if (source.hidden) refuse('fork_source_deleted')
    return source.expired(nowMs) ? refuse('fork_source_not_found') : source
  }

  #assertRoom(ownBytes: number, bytes: number): void {
    const { streamBytesMax, memoryBytesMax } = this.limits
    if (bytes === 0) return
    if (streamBytesMax > 0 && ownBytes + bytes > streamBytesMax) refuse('stream_too_large')
    if (memoryBytesMax > 0 && this.bytes + bytes > memoryBytesMax) refuse('insufficient_storage')
  }

  /** An expired stream gives its name to the next one, unless forks hold it. */
  #makeWay(expired: ModelStream): void {
    this.#end(expired)
    if (expired.hidden) refuse('path_blocked')
  }

  #end(stream: ModelStream): void {
    if (stream.forks > 0) {
      stream.hidden = true
      return
    }
    this.streams.delete(stream.path)
    const { parent } = stream
    if (parent === null) return
    parent.forks--
    if (parent.hidden && parent.forks === 0) this.#end(parent)
  }
}

function closedAnswer(stream: ModelStream, { producer, body, closes }: ModelAppend): string {
  if (producer && stream.closedBy && Bun.deepEquals(producer, stream.closedBy)) return appended('duplicate', stream, producer)
  if (!producer && body === null && closes) return appended('closed', stream, null)
  return refuse('stream_closed')
}

/** The answer to a repeat; null for what is new. */
function producerAnswer(stream: ModelStream, claim: Producer): string | null {
  const known = stream.producers.get(claim.id)
  if (known === undefined) return claim.seq === 0 ? null : refuse('producer_gap')
  if (claim.epoch < known.epoch) refuse('producer_fenced')
  if (claim.epoch > known.epoch) return claim.seq === 0 ? null : refuse('producer_epoch_start')
  if (claim.seq <= known.seq) return appended('duplicate', stream, known)
  return claim.seq === known.seq + 1 ? null : refuse('producer_gap')
}

function appended(kind: string, stream: ModelStream, producer: Producer | null): string {
  return `${kind} ${stream.tail} ${stream.closed} ${producer ? `${producer.epoch}/${producer.seq}` : 'nobody'}`
}

function forkCut(source: ModelStream, fork: ModelFork): number {
  const anchor = fork.offset ?? source.tail
  if (anchor > source.tail || !source.isBoundary(anchor)) refuse('invalid_fork')
  if (fork.subOffset === 0) return anchor
  const piece = source.pieces.find(each => each.end > anchor)
  if (piece === undefined) return refuse('invalid_fork')
  if (!source.json) return anchor + fork.subOffset > piece.end ? refuse('invalid_fork') : anchor + fork.subOffset
  const end = piece.valueEnds[fork.subOffset - 1]
  return end === undefined ? refuse('invalid_fork') : anchor + end
}
