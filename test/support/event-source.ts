/** A reader of server-sent events that follows the WHATWG parsing rules to the letter and keeps comments, on any response body. */

export interface ServerSentEvent {
  readonly type: string
  readonly data: string
}

export interface Control {
  readonly streamNextOffset: string
  readonly streamCursor?: string
  readonly upToDate?: boolean
  readonly streamClosed?: boolean
}

export class EventReader implements AsyncDisposable {
  readonly #body: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #rest = ''
  #type = ''
  #data: string[] = []
  readonly #events: ServerSentEvent[] = []
  readonly comments: string[] = []
  ended = false

  constructor(response: Response) {
    if (response.body === null) throw new Error('the answer has no body')
    this.#body = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  }

  /** The next event; null at the end. A connection that breaks is an end. */
  async next(): Promise<ServerSentEvent | null> {
    while (this.#events.length === 0 && !this.ended) {
      const { done, value } = await this.#body.read().catch(() => ({ done: true, value: undefined }) as const)
      if (done) this.ended = true
      else this.#feed(this.#decoder.decode(value, { stream: true }))
    }
    return this.#events.shift() ?? null
  }

  /** Reads until a control event fulfils `test`; returns all events up to it. Ends early with the connection. */
  async until(test: (control: Control) => boolean): Promise<ServerSentEvent[]> {
    const seen: ServerSentEvent[] = []
    for (;;) {
      const event = await this.next()
      if (event === null) return seen
      seen.push(event)
      if (event.type === 'control' && test(controlOf(event))) return seen
    }
  }

  /** Reads to the end of the connection. */
  async rest(): Promise<ServerSentEvent[]> {
    return this.until(() => false)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#body.cancel().catch(() => {})
  }

  #feed(text: string): void {
    // A lone CR at the end may be the first half of CRLF.
    const all = this.#rest + text
    const usable = all.endsWith('\r') ? all.slice(0, -1) : all
    const lines = usable.split(/\r\n|\r|\n/)
    this.#rest = (lines.pop() ?? '') + all.slice(usable.length)
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch()
    if (line.startsWith(':')) return void this.comments.push(line.slice(1))
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.#type = value
    if (name === 'data') this.#data.push(value)
  }

  #dispatch(): void {
    if (this.#data.length > 0) this.#events.push({ type: this.#type || 'message', data: this.#data.join('\n') })
    this.#type = ''
    this.#data = []
  }
}

export function controlOf(event: ServerSentEvent): Control {
  return JSON.parse(event.data) as Control
}

/** What the data events hold, one after the other. */
export function dataOf(events: readonly ServerSentEvent[]): string {
  return events.filter(event => event.type === 'data').map(event => event.data).join('')
}

/** The last offset that the reader was told. */
export function lastOffset(events: readonly ServerSentEvent[]): string {
  const last = events.findLast(event => event.type === 'control')
  if (last === undefined) throw new Error('no control event came')
  return controlOf(last).streamNextOffset
}
