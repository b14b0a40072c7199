/** The body of an answer of server-sent events whose frames come from elsewhere: says whether the client takes more, and gives up one that never does. */

export interface EventSinkParts {
  /** The client takes more again. */
  readonly drained: () => void
  /** Nothing more will be taken; called once. `abandoned`: the client took nothing for too long. */
  readonly ended: (how: 'finished' | 'abandoned') => void
  /** What is written on a connection that was quiet for long. */
  readonly keepAlive: () => Uint8Array
  readonly nowMs: number
}

export interface EventSinkLimits {
  readonly keepAliveMs: number
  /** A client that takes nothing for this long is given up. */
  readonly stalledMsMax: number
}

export class EventSink {
  readonly #parts: EventSinkParts
  /** Null until the first bytes are asked for, and after the end. */
  #sink: ReadableStreamDirectController | null = null
  #ended = false
  #waits = false
  #sent = false
  #activeMs: number
  #blockedSinceMs: number | null = null
  readonly body: ReadableStream<Uint8Array>

  constructor(parts: EventSinkParts) {
    this.#parts = parts
    this.#activeMs = parts.nowMs
    // Direct: what is written goes to the socket, without a queue, a reader and promises between (as in streams/sse-reader.ts).
    const source: Bun.DirectUnderlyingSource<Uint8Array> = { type: 'direct', pull: sink => this.#open(sink), cancel: () => this.#end('finished') }
    this.body = new ReadableStream(source as unknown as UnderlyingSource<Uint8Array>) // the types of the platform know no direct streams
  }

  /** Whether a frame that is written now goes to the socket. */
  get roomy(): boolean {
    return this.#sink !== null && !this.#waits
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  /** Hands over whole frames; only while there is room, or what is written is kept in memory. They go out at the next `flush`. */
  write(frames: Uint8Array): void {
    const taken = this.#sink?.write(frames as Uint8Array<ArrayBuffer>)
    this.#sent = true
    if (!(taken instanceof Promise)) return
    this.#waits = true
    const drained = () => this.#drained()
    taken.then(drained, drained)
  }

  /** Sends what was written, in one piece. */
  flush(): void {
    void this.#sink?.flush()
  }

  /** Called about twice a second for each. */
  tick(nowMs: number, limits: EventSinkLimits): void {
    const moved = this.#sent
    this.#sent = false
    if (moved) this.#activeMs = nowMs
    if (moved || this.roomy) {
      this.#blockedSinceMs = null
      if (!this.roomy || nowMs - this.#activeMs < limits.keepAliveMs) return
      this.#activeMs = nowMs
      this.write(this.#parts.keepAlive())
      return this.flush()
    }
    this.#blockedSinceMs ??= nowMs
    // What the socket holds stays until its idle limit cuts it: a reset could lose what the client has not read yet.
    if (nowMs - this.#blockedSinceMs >= limits.stalledMsMax) this.#end('abandoned')
  }

  /** Ends the answer behind what was written. */
  close(): void {
    const sink = this.#sink
    this.#end('finished')
    sink?.end()
  }

  #open(sink: ReadableStreamDirectController): void {
    if (this.#ended) return void sink.end()
    this.#sink = sink
    this.#drained()
  }

  #drained(): void {
    this.#waits = false
    if (!this.#ended) this.#parts.drained()
  }

  #end(how: 'finished' | 'abandoned'): void {
    if (this.#ended) return
    this.#ended = true
    this.#sink = null
    this.#parts.ended(how)
  }
}
