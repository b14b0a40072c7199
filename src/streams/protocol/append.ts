/** POST on the wire: headers and body to a command, result to an answer. (PROTOCOL.md §5.2, §5.2.1) */
import { fail } from '../../lib/errors.ts'
import type { AppendCommand, AppendResult, Framed } from '../commands.ts'
import type { ProducerClaim } from '../producer.ts'
import { mediaTypeOf } from '../stream.ts'
import { frameJson } from './json.ts'
import { formatOffset } from './offset.ts'
import { answer, type HeaderFields } from './answer.ts'

/** A media type with optional parameters; anything else counts as absent on creation. */
export const mediaTypeForm = /^\s*[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;.*)?$/

const digitsForm = /^\d{1,16}$/

/** Refuses: invalid_producer, empty_body, missing_content_type (all 400). A bad body is refused later, in its turn. */
export function parseAppend(path: string, headers: Headers, body: Uint8Array): AppendCommand {
  const producer = parseProducer(headers)
  const closes = isClosedTrue(headers)
  const seq = headers.get('stream-seq')
  if (body.byteLength === 0) {
    if (!closes) fail('empty_body', { detail: 'only a close may have no body' })
    return { path, mediaType: null, body: null, closes, seq, producer }
  }
  const contentType = headers.get('content-type')
  if (contentType === null || contentType === '') fail('missing_content_type', {})
  const mediaType = mediaTypeOf(contentType)
  return { path, mediaType, body: frame(mediaType, body), closes, seq, producer }
}

export function appendResponse(result: AppendResult, incarnation: number, common: HeaderFields): Response {
  const offset = formatOffset({ incarnation, at: result.tail })
  if (!result.closed && result.producer === null) return plainAppendResponse(offset, common)
  const headers: HeaderFields = { ...common, 'Stream-Next-Offset': offset }
  if (result.closed) headers['Stream-Closed'] = 'true'
  if (result.producer !== null) {
    headers['Producer-Epoch'] = String(result.producer.epoch)
    headers['Producer-Seq'] = String(result.producer.seq)
  }
  // New data of a producer is 200 and a repeat 204, so that a client can tell them apart (§5.2.1); a close has no data.
  return answer(result.producer !== null && result.kind === 'appended' ? 200 : 204, headers)
}

/** The most frequent answer of all. A Response copies the headers it is given, so one set serves every append in turn. */
function plainAppendResponse(offset: string, common: HeaderFields): Response {
  let headers = appendHeaders.get(common)
  if (headers === undefined) appendHeaders.set(common, (headers = new Headers(common)))
  headers.set('Stream-Next-Offset', offset)
  return new Response(null, { status: 204, headers })
}

const appendHeaders = new WeakMap<HeaderFields, Headers>()

/** Only the value `true`, in any case, closes; others count as absent. (§4.1) */
export function isClosedTrue(headers: Headers): boolean {
  const value = headers.get('stream-closed')
  return value !== null && value.toLowerCase() === 'true'
}

function frame(mediaType: string, body: Uint8Array): Framed {
  return mediaType === 'application/json' ? frameJson(body, 'refused') : { kind: 'record', bytes: body }
}

function parseProducer(headers: Headers): ProducerClaim | null {
  const id = headers.get('producer-id')
  const epoch = headers.get('producer-epoch')
  const seq = headers.get('producer-seq')
  if (id === null && epoch === null && seq === null) return null
  if (id === null || epoch === null || seq === null) {
    fail('invalid_producer', { detail: 'Producer-Id, Producer-Epoch and Producer-Seq come together' })
  }
  if (id.trim() === '') fail('invalid_producer', { detail: 'Producer-Id is empty' })
  if (id.length > producerIdCharsMax) fail('invalid_producer', { detail: `Producer-Id has more than ${producerIdCharsMax} characters` })
  return { id, epoch: parseCount(epoch, 'Producer-Epoch'), seq: parseCount(seq, 'Producer-Seq') }
}

const producerIdCharsMax = 1024

function parseCount(value: string, name: string): number {
  const count = digitsForm.test(value) ? Number(value) : NaN
  if (!Number.isSafeInteger(count)) fail('invalid_producer', { detail: `${name} is a whole number up to 2^53-1` })
  return count
}
