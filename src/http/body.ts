/** Reads a request body within a limit. What the bytes mean is the caller's business. */
import { fail } from '../lib/errors.ts'

/**
 * Bytes beyond the limit that are read and thrown away before a body is refused, so that a client which sends first and reads
 * later gets its 413 and keeps its connection. Beyond this the answer goes out at once and Bun discards what still comes
 * (it holds no more than a socket buffer of it).
 */
export const drainBytesMax = 4 * 1024 * 1024

/**
 * The whole body of `request`. Refuses `body_too_large` above `bodyBytesMax` bytes (from Content-Length before anything is
 * kept, else counted while reading) and `bad_request` when the client goes away first. Keeps no more than the limit and one chunk.
 */
export function readBody(request: Request, bodyBytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const announced = request.headers.get('Content-Length')
  if (announced === null) return readCounted(request, bodyBytesMax)
  const length = Number(announced)
  if (length > bodyBytesMax) return refuse(request, bodyBytesMax, length - bodyBytesMax)
  // Bun's parser ends the body at Content-Length on HTTP/1.1 and resets the stream on HTTP/2, so this is bounded.
  return request.bytes().catch((error: unknown) => endedEarly(request, error))
}

async function readCounted(request: Request, bodyBytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  if (request.body === null) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = request.body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
      if (length > bodyBytesMax) break
      chunks.push(value)
    }
    if (length > bodyBytesMax) {
      chunks.length = 0
      await discard(reader, drainBytesMax)
    }
  } catch (error) {
    return endedEarly(request, error)
  }
  if (length > bodyBytesMax) return tooLarge(bodyBytesMax)
  return joined(chunks, length)
}

async function refuse(request: Request, bodyBytesMax: number, excessBytes: number): Promise<never> {
  if (request.body !== null && excessBytes <= drainBytesMax) {
    try {
      await discard(request.body.getReader(), bodyBytesMax + drainBytesMax)
    } catch (error) {
      return endedEarly(request, error)
    }
  }
  return tooLarge(bodyBytesMax)
}

async function discard(reader: ReadableStreamDefaultReader<Uint8Array>, bytesMax: number): Promise<void> {
  for (let length = 0; length <= bytesMax; ) {
    const { done, value } = await reader.read()
    if (done) return
    length += value.length
  }
}

function tooLarge(bodyBytesMax: number): never {
  fail('body_too_large', { detail: `at most ${bodyBytesMax} bytes are allowed` })
}

function endedEarly(request: Request, error: unknown): never {
  if (request.signal.aborted) fail('bad_request', { detail: 'the connection closed before the body was complete' })
  throw error
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
