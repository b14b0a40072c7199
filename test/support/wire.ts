/** One TCP connection that speaks HTTP/1.1 by hand: what is sent, when, and whether anything is read are up to the test. */
import { connect, type Socket } from 'node:net'

export interface WireAnswer {
  readonly status: number
  /** Names in lower case; a name that comes twice keeps both values. */
  readonly headers: Headers
  readonly body: Buffer
}

const answerMsMax = 20_000
const headEnd = Buffer.from('\r\n\r\n')

export class Wire implements Disposable {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #wake: () => void = () => {}
  closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data])
      this.#wake()
    })
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
    socket.on('error', () => {})
  }

  static async open(port: number): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const wire = new Wire(socket)
    await new Promise<void>((resolve, reject) => socket.once('connect', () => resolve()).once('error', reject))
    return wire
  }

  /** Bytes that arrived and were not taken by `answer`. */
  get received(): Buffer {
    return this.#received
  }

  /** Sends and waits until the kernel took it or the connection is gone. */
  async send(data: string | Uint8Array): Promise<void> {
    if (this.closed || this.#socket.write(data)) return
    await new Promise<void>(resolve => this.#socket.once('drain', () => resolve()).once('close', () => resolve()))
  }

  /** A request with its whole body behind it. */
  async request(method: string, path: string, headers: Readonly<Record<string, string>> = {}, body: string | Uint8Array = ''): Promise<WireAnswer> {
    const bytes = Buffer.from(body)
    await this.send(head(method, path, { 'Content-Length': String(bytes.byteLength), ...headers }))
    if (bytes.byteLength > 0) await this.send(bytes)
    return this.answer(method)
  }

  /** The next whole answer; understands Content-Length and chunks. Throws when it does not come. */
  async answer(method = 'GET'): Promise<WireAnswer> {
    const deadlineMs = performance.now() + answerMsMax
    for (;;) {
      const found = readAnswer(this.#received, method)
      if (found !== null) {
        this.#received = this.#received.subarray(found.end)
        return found.answer
      }
      if (this.closed) throw new Error(`the connection closed after ${this.#received.byteLength} bytes: ${this.#received.toString('latin1').slice(0, 200)}`)
      if (performance.now() > deadlineMs) throw new Error(`no answer in ${answerMsMax} ms: ${this.#received.toString('latin1').slice(0, 200)}`)
      await this.#more()
    }
  }

  /** Waits until `test` holds of everything received, or throws. */
  async until(test: (received: Buffer) => boolean, msMax = answerMsMax): Promise<void> {
    const deadlineMs = performance.now() + msMax
    while (!test(this.#received)) {
      if (this.closed || performance.now() > deadlineMs) {
        throw new Error(`waited in vain (${this.closed ? 'closed' : 'open'}): ${this.#received.toString('latin1').slice(-300)}`)
      }
      await this.#more()
    }
  }

  /** Takes nothing from the connection any more, as a client that hangs. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  async #more(): Promise<void> {
    await Promise.race([new Promise<void>(resolve => (this.#wake = resolve)), Bun.sleep(50)])
  }
}

/** Request line and headers, with the empty line. */
export function head(method: string, path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

function readAnswer(received: Buffer, method: string): { answer: WireAnswer; end: number } | null {
  const headAt = received.indexOf(headEnd)
  if (headAt < 0) return null
  const [first = '', ...lines] = received.subarray(0, headAt).toString('latin1').split('\r\n')
  const headers = new Headers(lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]))
  const status = Number(first.split(' ')[1])
  const bodyAt = headAt + headEnd.byteLength
  if (method === 'HEAD' || status === 204 || status === 304 || status < 200) return { answer: { status, headers, body: Buffer.alloc(0) }, end: bodyAt }
  if (headers.get('transfer-encoding') === 'chunked') {
    const chunked = readChunks(received, bodyAt)
    return chunked && { answer: { status, headers, body: chunked.body }, end: chunked.end }
  }
  const end = bodyAt + Number(headers.get('content-length') ?? 0)
  return received.byteLength < end ? null : { answer: { status, headers, body: received.subarray(bodyAt, end) }, end }
}

function readChunks(received: Buffer, from: number): { body: Buffer; end: number } | null {
  const parts: Buffer[] = []
  for (let at = from; ; ) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const length = Number.parseInt(received.subarray(at, lineEnd).toString('latin1'), 16)
    const end = lineEnd + 2 + length + 2
    if (received.byteLength < end) return null
    if (length === 0) return { body: Buffer.concat(parts), end }
    parts.push(received.subarray(lineEnd + 2, lineEnd + 2 + length))
    at = end
  }
}
