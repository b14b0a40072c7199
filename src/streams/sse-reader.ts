/** One live reader over SSE: follows a stream from a position, never holds more than a bounded amount, ends resumable. */
import type { Page } from './commands.ts'
import type { Pages } from './pages.ts'
import { controlBytes, dataFrame, endsInsideCharacter, keepAliveFrame, pageFrame, sseEncoding, type SseEncoding } from './protocol/sse.ts'
import type { StreamState, TailEvent, TailListener } from './stream.ts'

/** Bytes of stored data in one event, at about. */
export const eventBytesMax = 256 * 1024
/**
 * An event goes out in pieces of this many bytes: what Bun takes of a stream it holds whole until the client has it, and a slow
 * reader shows that it reads by every piece it takes.
 */
const pieceBytesMax = 64 * 1024
/** Bytes that one reader may be sent in one turn of the event loop: one that takes everything at once must not hold up the others. */
const turnBytesMax = 256 * 1024

/** `abandoned`: the reader took nothing for too long, and what waits for it will not be taken either. */
export type SseEnd = 'finished' | 'abandoned'

export interface SseStart {
  readonly stream: StreamState
  readonly pages: Pages
  readonly incarnation: number
  readonly from: number
  readonly cursor: number
  /** When the connection ends, ms since the epoch: for cycling, or with the credential. */
  readonly endAtMs: number
  readonly nowMs: number
  readonly ended: (reader: SseReader, how: SseEnd) => void
}

export class SseReader implements TailListener {
  readonly #start: SseStart
  readonly #encoding: SseEncoding
  /** Where the bytes go; null until the first ones are asked for, and after the end. */
  #sink: ReadableStreamDirectController | null = null
  #ended = false
  /** The socket has taken all it takes for now, or it is the turn of others. */
  #waits = false
  #at: number
  /** The reader knows where it is and whether that is the tail. */
  #told = false
  /** Whether anything went out since the last tick, and when that was, as far as ticks know. */
  #sent = false
  #activeMs: number
  /** What is left of the event that is going out. */
  #rest: Uint8Array | null = null
  /** Nothing follows the event that is going out. */
  #last = false
  #blockedSinceMs: number | null = null
  readonly body: ReadableStream<Uint8Array>

  constructor(start: SseStart) {
    this.#start = start
    this.#at = start.from
    this.#activeMs = start.nowMs
    this.#encoding = sseEncoding(start.stream.mediaType)
    start.stream.listeners.add(this) // before the first read: what comes in between is not missed
    // Direct: what is written goes to the socket, without a queue, a reader and promises between (half of what an idle reader took).
    const source: Bun.DirectUnderlyingSource<Uint8Array> = { type: 'direct', pull: sink => this.#open(sink), cancel: () => this.#end() }
    this.body = new ReadableStream(source as unknown as UnderlyingSource<Uint8Array>) // the types of the platform know no direct streams
  }

  get stream(): StreamState {
    return this.#start.stream
  }

  get endAtMs(): number {
    return this.#start.endAtMs
  }

  onTail(event: TailEvent): void {
    if (event.removed) return this.close()
    const shared = this.#told && this.#at === event.start && this.#rest === null && this.#roomy
    this.#guarded(() => {
      if (!shared || !this.#sendShared(event)) this.#sendAll()
    })
  }

  /** Called about twice a second: keeps the connection alive, or gives a reader up that takes nothing. */
  tick(nowMs: number, limits: { keepAliveMs: number; stalledMsMax: number }): void {
    if (nowMs >= this.#start.endAtMs) this.close()
    const moved = this.#sent
    this.#sent = false
    if (moved) this.#activeMs = nowMs
    if (moved || this.#roomy) {
      this.#blockedSinceMs = null
      if (this.#rest !== null || nowMs - this.#activeMs < limits.keepAliveMs) return
      this.#activeMs = nowMs
      this.#write(keepAliveFrame)
      return
    }
    this.#blockedSinceMs ??= nowMs
    // What the socket holds stays until its idle limit cuts it: a reset could lose what the client has not read yet.
    if (nowMs - this.#blockedSinceMs >= limits.stalledMsMax) this.#end('abandoned')
  }

  /** Ends the connection between two events; the reader resumes at the last offset it was told. */
  close(): void {
    // The published client takes an event that was cut by a proper end for a whole one.
    if (this.#rest !== null) return void (this.#last = true)
    const sink = this.#sink
    this.#end()
    sink?.end()
  }

  get #roomy(): boolean {
    return this.#sink !== null && !this.#waits
  }

  /** Called when the answer begins; again and again when it is not a socket that takes it. */
  #open(sink: ReadableStreamDirectController): void {
    if (this.#ended) return void sink.end()
    this.#sink = sink
    this.#pump()
  }

  #pump(): void {
    this.#waits = false
    this.#guarded(() => this.#sendAll())
  }

  /** What cannot be read (damage) ends this reader and nothing else: a commit that tells its readers goes on. */
  #guarded(send: () => void): void {
    try {
      send()
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Sends everything up to the tail, as long as the reader takes it. */
  #sendAll(): void {
    for (let bytes = 0; this.#roomy; ) {
      if (bytes >= turnBytesMax) return this.#yield()
      if (this.#rest !== null) {
        bytes += this.#enqueue(this.#rest)
        continue
      }
      const { stream } = this.#start
      if (this.#at >= stream.committedTail) {
        if (stream.committedClosed) return this.#finish()
        if (!this.#told) this.#tellPosition()
        return
      }
      const page = this.#nextPage()
      if (page === null) return
      bytes += this.#send(pageFrame(dataFrame(page.body, this.#encoding), this.#control(page)), page)
    }
  }

  /** The event of one commit, encoded once for all readers that wait at the same place with the same cursor. */
  #sendShared(event: TailEvent): boolean {
    const key = `${this.#start.cursor}`
    let frame = event.frames.get(key)
    if (frame === undefined) {
      const page = event.end > event.start ? this.#nextPage() : null
      if (page === null || page.end !== event.end) return false
      let data = event.frames.get('data')
      if (data === undefined) event.frames.set('data', (data = dataFrame(page.body, this.#encoding)))
      event.frames.set(key, (frame = pageFrame(data, this.#control(page))))
    }
    this.#at = event.end
    this.#last = event.closed
    this.#enqueue(frame)
    return true
  }

  /** Goes on in a later turn. */
  #yield(): void {
    this.#waits = true
    setImmediate(() => this.#pump())
  }

  #send(frame: Uint8Array, page: Page): number {
    this.#at = page.end
    this.#told = true
    this.#last = page.closed
    return this.#enqueue(frame)
  }

  /** Sends the next piece of an event; returns its size. */
  #enqueue(bytes: Uint8Array): number {
    const piece = bytes.byteLength > pieceBytesMax ? bytes.subarray(0, pieceBytesMax) : bytes
    this.#sent = true
    this.#rest = piece === bytes ? null : bytes.subarray(pieceBytesMax)
    this.#write(piece)
    if (this.#rest === null && this.#last) this.close()
    return piece.byteLength
  }

  /** The socket takes everything that it is given, and says when it wants no more for now. */
  #write(bytes: Uint8Array): void {
    const taken = this.#sink?.write(bytes as Uint8Array<ArrayBuffer>)
    void this.#sink?.flush()
    if (!(taken instanceof Promise)) return
    this.#waits = true
    const drained = () => this.#pump()
    taken.then(drained, drained)
  }

  #tellPosition(): void {
    this.#told = true
    this.#write(controlBytes({ ...this.#place(), upToDate: true, closed: false }))
  }

  #finish(): void {
    this.#write(controlBytes({ ...this.#place(), upToDate: true, closed: true }))
    this.close()
  }

  #place(): { incarnation: number; at: number; cursor: number } {
    return { incarnation: this.#start.incarnation, at: this.#at, cursor: this.#start.cursor }
  }

  #control(page: Page) {
    return { ...this.#place(), at: page.end, upToDate: page.upToDate, closed: page.closed }
  }

  /** The next page, cut between characters for texts; null while the only character so far is incomplete. */
  #nextPage(): Page | null {
    const { stream, pages } = this.#start
    for (let bytesMax = eventBytesMax; ; bytesMax *= 2) {
      const page = pages.page(stream, this.#at, bytesMax)
      if (this.#encoding !== 'text' || stream.json) return page
      const cut = this.#cutBetweenCharacters(page)
      if (cut !== null || page.closed || bytesMax >= eventBytesMax * 8) return cut ?? page
      if (page.upToDate) return null
    }
  }

  /** The longest beginning of `page` that ends with a record and a character; null when there is none. */
  #cutBetweenCharacters(page: Page): Page | null {
    const { stream, pages } = this.#start
    let cut = page
    for (let tries = 0; endsInsideCharacter(cut.body); tries++) {
      const shorter = pages.page(stream, this.#at, cut.end - this.#at - 1)
      if (shorter.end >= cut.end || tries >= cutTriesMax) return null
      cut = shorter
    }
    return cut
  }

  #fail(error: Error): void {
    const sink = this.#sink
    this.#end('abandoned')
    sink?.close(error)
  }

  #end(how: SseEnd = 'finished'): void {
    if (this.#ended) return
    this.#ended = true
    this.#sink = null
    this.#start.stream.listeners.delete(this)
    this.#start.ended(this, how)
  }
}

/** Ends of records that are looked at for the end of a character; a writer that cuts anywhere hits one in two or three. */
const cutTriesMax = 32
