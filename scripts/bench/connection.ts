/** One keep-alive HTTP/1.1 connection over a raw socket, one request at a time: the generator must cost less than the server. */
import type { Socket } from 'bun'

export interface Address {
  readonly host: string
  readonly port: number
  /** Path in front of every stream name, without a slash at the end. */
  readonly root: string
}

export interface Answer {
  /** -1 when the connection ended instead. */
  readonly status: number
  /** Lower-case header block; empty for 204, whose headers nobody asks for in a hot loop, unless `keep` was set. */
  readonly head: string
  readonly bodyBytes: number
  readonly body: Buffer
}

interface Options {
  /** Keep head and body of the answer. */
  readonly keep?: boolean
  /** Called with each piece of the body instead of keeping it. */
  readonly onBody?: (piece: Buffer) => void
}

type Phase = 'head' | 'length' | 'chunk-size' | 'chunk' | 'until-close'

const headEnd = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)
const headBytesMax = 65_536

export function parseAddress(base: string): Address {
  const url = new URL(base)
  if (url.protocol !== 'http:') throw new Error(`${base}: the load generator speaks plain http only`)
  return { host: url.hostname, port: Number(url.port || 80), root: url.pathname.replace(/\/+$/, '') }
}

/** The bytes of a request; built once and sent many times. */
export function requestBytes(
  address: Address,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Uint8Array,
): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = body || method === 'POST' || method === 'PUT' ? `Content-Length: ${body?.length ?? 0}\r\n` : ''
  const head = `${method} ${address.root}${path} HTTP/1.1\r\nHost: ${address.host}:${address.port}\r\n${lines.join('')}${length}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body ?? nothing])
}

export function headerOf(answer: Answer, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}: *([^\\r]*)`).exec(answer.head)?.[1]
}

export class Connection {
  closed = false
  #socket: Socket | undefined
  #unsent: Buffer = nothing
  #rest: Buffer = nothing
  #phase: Phase = 'head'
  #left = 0
  #status = 0
  #head = ''
  #bodyBytes = 0
  #pieces: Buffer[] = []
  #options: Options = {}
  #onAnswer: ((answer: Answer) => void) | undefined

  static async open(address: Address): Promise<Connection> {
    const connection = new Connection()
    connection.#socket = await Bun.connect({
      hostname: address.host,
      port: address.port,
      socket: {
        data: (_socket, data) => connection.#receive(data),
        drain: () => connection.#flush(),
        close: () => connection.#ended(),
        error: () => connection.#ended(),
      },
    })
    connection.#socket.setNoDelay(true)
    return connection
  }

  /** Sends a request and calls back with its answer; the next one may be sent from the callback. */
  send(request: Buffer, onAnswer: (answer: Answer) => void, options: Options = {}): void {
    this.#onAnswer = onAnswer
    this.#options = options
    this.#bodyBytes = 0
    if (this.closed || !this.#socket) return this.#ended()
    const written = this.#socket.write(request)
    if (written < request.length) this.#unsent = request.subarray(Math.max(0, written))
  }

  async request(request: Buffer, options: Options = { keep: true }): Promise<Answer> {
    return await new Promise(resolve => this.send(request, resolve, options))
  }

  close(): void {
    this.#onAnswer = undefined
    this.closed = true
    this.#socket?.end()
  }

  #flush(): void {
    if (this.#unsent.length === 0 || !this.#socket) return
    const written = this.#socket.write(this.#unsent)
    this.#unsent = this.#unsent.subarray(Math.max(0, written))
  }

  #ended(): void {
    this.closed = true
    const whole = this.#phase === 'until-close'
    this.#finish(whole ? this.#status : -1)
  }

  #finish(status = this.#status): void {
    this.#phase = 'head'
    const onAnswer = this.#onAnswer
    const body = this.#pieces.length > 0 ? Buffer.concat(this.#pieces) : nothing
    this.#pieces = []
    this.#onAnswer = undefined
    onAnswer?.({ status, head: this.#head, bodyBytes: this.#bodyBytes, body })
  }

  #receive(data: Buffer): void {
    let buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data
    this.#rest = nothing
    while (buffer.length > 0) {
      const used = this.#step(buffer)
      if (used === 0) {
        // The socket's buffer is used again after the callback, so what waits for more is copied.
        this.#rest = Buffer.from(buffer)
        if (this.#phase === 'head' && buffer.length > headBytesMax) throw new Error('the answer has no end of its head')
        return
      }
      buffer = buffer.subarray(used)
    }
  }

  /** Takes what it can from the front of `buffer`; returns how many bytes, 0 when more must come first. */
  #step(buffer: Buffer): number {
    if (this.#phase === 'head') return this.#takeHead(buffer)
    if (this.#phase === 'chunk-size') return this.#takeChunkSize(buffer)
    if (this.#phase === 'until-close') return this.#takeBody(buffer)
    const taken = this.#takeBody(buffer.subarray(0, this.#left))
    this.#left -= taken
    if (this.#left > 0) return taken
    if (this.#phase === 'length') this.#finish()
    else this.#phase = 'chunk-size'
    return taken
  }

  #takeHead(buffer: Buffer): number {
    const end = buffer.indexOf(headEnd)
    if (end < 0) return 0
    this.#status = Number(buffer.toString('latin1', 9, 12))
    const hasBody = this.#status !== 204 && this.#status !== 304
    this.#head = hasBody || this.#options.keep ? buffer.toString('latin1', 0, end).toLowerCase() : ''
    if (this.#status === 100) return end + 4
    const length = /\r\ncontent-length: *(\d+)/.exec(this.#head)?.[1]
    this.#left = Number(length ?? 0)
    if (!hasBody || length === '0') this.#finish()
    else if (length !== undefined) this.#phase = 'length'
    else this.#phase = this.#head.includes('\r\ntransfer-encoding: chunked') ? 'chunk-size' : 'until-close'
    return end + 4
  }

  #takeChunkSize(buffer: Buffer): number {
    // The line break behind the chunk before belongs to it; an empty line is that one.
    const end = buffer.indexOf('\r\n')
    if (end < 0) return 0
    if (end === 0) return 2
    this.#left = Number.parseInt(buffer.toString('latin1', 0, end), 16)
    if (this.#left > 0) {
      this.#phase = 'chunk'
      return end + 2
    }
    if (buffer.length < end + 4) return 0
    this.#finish()
    return end + 4
  }

  #takeBody(piece: Buffer): number {
    this.#bodyBytes += piece.length
    if (this.#options.onBody) this.#options.onBody(piece)
    else if (this.#options.keep) this.#pieces.push(Buffer.from(piece))
    return piece.length
  }
}
