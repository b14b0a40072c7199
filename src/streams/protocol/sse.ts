/** Server-sent events of a stream: pages to frames. Pure; when to send what is sse-reader.ts. (PROTOCOL.md §5.8) */
import { formatOffset } from './offset.ts'

export type SseEncoding = 'text' | 'base64'

/** Only `text/*` and JSON survive in an event stream as they are. */
export function sseEncoding(mediaType: string): SseEncoding {
  return mediaType.startsWith('text/') || mediaType === 'application/json' ? 'text' : 'base64'
}

const encoder = new TextEncoder()
const dataHead = encoder.encode('event: data\ndata:')
const dataLine = encoder.encode('\ndata:')
const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const spaceBytes = Uint8Array.of(space)

/** A comment that keeps proxies from closing a quiet connection. */
export const keepAliveFrame = encoder.encode(': \n\n')

/**
 * One data event, without its last line end. Every line of a text gets its own `data:` field, cut at CR, LF and CRLF, so
 * that no payload can begin an event of its own; readers see LF for all three. No space follows `data:` (§5.8) but before a line
 * that begins with one itself: readers take one away.
 */
export function dataFrame(body: Uint8Array, encoding: SseEncoding): Uint8Array {
  if (encoding === 'base64') {
    return encoder.encode(`event: data\ndata:${Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64')}`)
  }
  const parts: Uint8Array[] = body[0] === space ? [dataHead, spaceBytes] : [dataHead]
  if (!body.includes(lineFeed) && !body.includes(carriageReturn)) return Buffer.concat([...parts, body])
  let from = 0
  for (let i = 0; i < body.byteLength; i++) {
    const byte = body[i]
    if (byte !== lineFeed && byte !== carriageReturn) continue
    parts.push(body.subarray(from, i), dataLine)
    if (byte === carriageReturn && body[i + 1] === lineFeed) i++
    from = i + 1
    if (body[from] === space) parts.push(spaceBytes)
  }
  parts.push(body.subarray(from))
  return Buffer.concat(parts)
}

export interface Control {
  readonly incarnation: number
  readonly at: number
  readonly cursor: number
  readonly upToDate: boolean
  readonly closed: boolean
}

/** The control event that follows every data event. At the end of a closed stream it says so and has no cursor. */
export function controlFrame(control: Control): string {
  const offset = formatOffset({ incarnation: control.incarnation, at: control.at })
  const rest = control.closed
    ? ',"upToDate":true,"streamClosed":true'
    : `,"streamCursor":"${control.cursor}"${control.upToDate ? ',"upToDate":true' : ''}`
  return `event: control\ndata:{"streamNextOffset":"${offset}"${rest}}\n\n`
}

/** A page as one data event and its control event. */
export function pageFrame(data: Uint8Array, control: Control): Uint8Array {
  return Buffer.concat([data, encoder.encode(`\n\n${controlFrame(control)}`)])
}

export function controlBytes(control: Control): Uint8Array {
  return encoder.encode(controlFrame(control))
}

/** True when `bytes` end inside a UTF-8 sequence: a decoder would show U+FFFD for each half. */
export function endsInsideCharacter(bytes: Uint8Array): boolean {
  for (let back = 1; back <= 3 && back <= bytes.byteLength; back++) {
    const byte = bytes[bytes.byteLength - back] ?? 0
    if (byte < 0x80) return false
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2)
  }
  return false
}
