/** The 64 producers: closed loops with producer headers that send a request again until it is acknowledged, over restarts too. */
import { noteAcked, noteRefused, noteSent, producerOf, type ProducerLedger, type StreamLedger } from './ledger.ts'
import { bodyOf, contentType } from './records.ts'
import type { World } from './world.ts'

export interface Writer {
  readonly index: number
  stream: StreamLedger | undefined
  /** The request in the air: sent again with the same sequence number until it is settled. */
  request: Request | undefined
}

interface Request {
  readonly stream: StreamLedger
  readonly first: number
  readonly count: number
  readonly sequence: number
  attempts: number
  /** What the restart showed of it: then only one answer to the repetition is right. */
  found: 'present' | 'absent' | 'unknown'
}

const pauseMs = 2
/** A pause between two requests of one writer, so that the harness does not starve the server of its cores. */
const thinkMsMax = 3

export function makeWriters(count: number): Writer[] {
  return Array.from({ length: count }, (_, index) => ({ index, stream: undefined, request: undefined }))
}

/** Writes until the world stops running. */
export async function write(world: World, writer: Writer): Promise<void> {
  while (world.running) {
    const request = writer.request ?? nextRequest(world, writer)
    if (!request) {
      await Bun.sleep(pauseMs)
      continue
    }
    const settled = await send(world, writer, request)
    if (settled) writer.request = undefined
    await Bun.sleep(settled ? world.random.between(0, thinkMsMax) : pauseMs)
  }
}

/** Tells a writer what the restart showed of its pending request. */
export function noteFound(writer: Writer, stream: StreamLedger, found: ReadonlyMap<number, 'present' | 'absent'>): void {
  if (writer.request?.stream === stream) writer.request.found = found.get(writer.index) ?? 'unknown'
}

function nextRequest(world: World, writer: Writer): Request | undefined {
  if (!writer.stream || !world.active.includes(writer.stream) || world.random.chance(0.002)) {
    writer.stream = world.random.pick(world.active.filter(stream => usable(stream, writer.index)))
  }
  const stream = writer.stream
  if (!stream) return undefined
  const ledger = producerOf(stream, writer.index)
  const first = ledger.acked
  const count = world.random.chance(0.2) ? world.random.between(2, 20) : 1
  const request: Request = { stream, first, count, sequence: noteSent(ledger, count), attempts: 0, found: 'unknown' }
  writer.request = request
  return request
}

function usable(stream: StreamLedger, producer: number): boolean {
  return stream.created === 'acked' && stream.closed === 'none' && stream.producers.get(producer)?.pending === undefined
}

/** True when the request is settled, false when it must be sent again. */
async function send(world: World, writer: Writer, request: Request): Promise<boolean> {
  const { stream, first, count, sequence } = request
  request.attempts++
  let answer: Response
  try {
    answer = await fetch(world.urlOf(stream), {
      method: 'POST',
      headers: {
        'content-type': contentType[stream.kind],
        'producer-id': `writer-${writer.index}`,
        'producer-epoch': '0',
        'producer-seq': String(sequence),
      },
      body: bodyOf(stream.kind, stream.id, writer.index, first, count),
    })
    await answer.arrayBuffer()
  } catch {
    world.totals.answersLost++
    request.found = 'unknown'
    return false
  }
  return judge(world, writer, request, answer)
}

function judge(world: World, writer: Writer, request: Request, answer: Response): boolean {
  const { stream } = request
  const ledger = producerOf(stream, writer.index)
  const isClosed = answer.status === 409 && answer.headers.get('stream-closed') === 'true'
  if (answer.status === 200 || answer.status === 204) return acknowledge(world, writer, request, ledger, answer)
  if (answer.status === 429 || answer.status === 503) {
    world.totals.refusedBusy++
    return false
  }
  if (isClosed && stream.closed !== 'none') return abandon(request, ledger)
  if ((answer.status === 404 || answer.status === 410) && stream.deleted !== 'none') return abandon(request, ledger)
  world.report(stream.name, `append ${request.sequence} of writer ${writer.index} was answered ${answer.status}`)
  return abandon(request, ledger)
}

function acknowledge(world: World, writer: Writer, request: Request, ledger: ProducerLedger, answer: Response): boolean {
  const { stream, sequence, found } = request
  const expected = found === 'present' ? 204 : found === 'absent' ? 200 : request.attempts === 1 ? 200 : answer.status
  if (answer.status !== expected) {
    world.report(stream.name, `append ${sequence} of writer ${writer.index} was ${found} and its repetition was answered ${answer.status}`)
  }
  world.totals.appendsAcked++
  world.totals.recordsAcked += request.count
  if (answer.status === 204) world.totals.duplicatesAcked++
  noteAcked(stream, ledger, answer.headers.get('stream-next-offset'))
  return true
}

function abandon(request: Request, ledger: ProducerLedger): boolean {
  // An earlier attempt may have been stored, so only a refusal of the first one proves that nothing of it is there.
  if (request.attempts === 1) noteRefused(ledger)
  return true
}
