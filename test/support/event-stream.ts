/** A reader of a record subscription over a plain socket: Bun's fetch tells of an answer only with its first bytes, and takes all that comes. */
import { connect, type Socket } from 'node:net'

export interface SubscriptionEvent {
  readonly Insert?: Record<string, unknown>
  readonly Update?: Record<string, unknown>
  readonly Delete?: Record<string, unknown>
  readonly Error?: { readonly status: number; readonly message: string | null; readonly horizon?: number }
  readonly Snapshot?: { readonly count: number }
  readonly seq: number
  readonly pos?: number
  readonly txn?: number
}

export interface SubscriptionOptions {
  readonly user?: string
  readonly headers?: Readonly<Record<string, string>>
}

export class SubscriptionReader implements Disposable {
  readonly #socket: Socket
  /** Chunks of the answer as text, without the chunked coding. */
  body = ''
  head = ''
  ended = false
  #raw: Buffer[] = []
  #waiting: (() => void)[] = []
  readonly events: SubscriptionEvent[] = []
  readonly ids: string[] = []
  /** When each event came (performance.now()), on request. */
  readonly times: number[] = []
  #parsed = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', data => this.#take(data as Buffer))
    socket.on('close', () => this.#end())
    socket.on('error', () => this.#end())
  }

  /** Connects, and resolves with the first bytes of the body or at the end. */
  static async open(url: string, path: string, { user, headers = {} }: SubscriptionOptions = {}): Promise<SubscriptionReader> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) })
    const reader = new SubscriptionReader(socket)
    const lines = { Host: `${hostname}:${port}`, ...(user === undefined ? {} : { Authorization: `Bearer ${user}` }), ...headers }
    socket.write(`GET /api/records/v1${path} HTTP/1.1\r\n${Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    await reader.until(() => reader.body !== '' || (reader.head !== '' && reader.status !== 200))
    return reader
  }

  get status(): number {
    return Number(this.head.split(' ')[1])
  }

  /** The next `count` events that were not taken yet; fewer when it ends or 5 s pass. */
  async take(count: number): Promise<SubscriptionEvent[]> {
    await this.until(() => this.events.length >= count)
    return this.events.splice(0, count)
  }

  /** Until `test` holds, the connection ends, or `msMax` passes; true when it holds. */
  async until(test: () => boolean, msMax = 20_000): Promise<boolean> {
    const endMs = performance.now() + msMax
    while (!test() && !this.ended && performance.now() < endMs) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, Math.max(1, endMs - performance.now()))
        this.#waiting.push(() => (clearTimeout(timer), resolve()))
      })
    }
    return test()
  }

  /** Takes nothing more until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #take(data: Buffer): void {
    this.#raw.push(data)
    let all = this.#raw.length === 1 ? data : Buffer.concat(this.#raw)
    if (this.head === '') {
      const end = all.indexOf('\r\n\r\n')
      if (end < 0) return
      this.head = all.subarray(0, end).toString()
      all = all.subarray(end + 4)
    }
    this.#raw = [this.#chunks(all)]
    this.#parse()
    this.#wake()
  }

  /** Takes whole chunks off the front. */
  #chunks(bytes: Buffer): Buffer {
    for (let at = 0; ; ) {
      const line = bytes.indexOf('\r\n', at)
      const size = line < 0 ? NaN : Number.parseInt(bytes.subarray(at, line).toString(), 16)
      if (Number.isNaN(size) || bytes.length < line + 2 + size + 2) return bytes.subarray(at)
      if (size === 0) this.ended = true
      this.body += bytes.subarray(line + 2, line + 2 + size).toString()
      at = line + 2 + size + 2
      if (size === 0) return bytes.subarray(at)
    }
  }

  #parse(): void {
    for (;;) {
      const end = this.body.indexOf('\n\n', this.#parsed)
      if (end < 0) break
      for (const line of this.body.slice(this.#parsed, end).split('\n')) {
        if (line.startsWith('data: ')) {
          this.events.push(JSON.parse(line.slice(6)) as SubscriptionEvent)
          this.times.push(performance.now())
        }
        if (line.startsWith('id: ')) this.ids.push(line.slice(4))
      }
      this.#parsed = end + 2
    }
    // What was parsed is not kept, but for the first bytes.
    if (this.#parsed > 1 << 16) {
      this.body = `${this.body.slice(0, 8)}\n\n${this.body.slice(this.#parsed)}`
      this.#parsed = 10
    }
  }

  #end(): void {
    this.ended = true
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
