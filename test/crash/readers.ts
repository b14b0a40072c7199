/** Readers that remember every record they were shown, over restarts: by catch-up, long-poll and SSE. */
import type { StreamLedger } from './ledger.ts'
import { parseRecords, type Key } from './records.ts'
import type { World } from './world.ts'

export type ReadMode = 'catch-up' | 'long-poll' | 'sse'

export interface Reader {
  readonly mode: ReadMode
  stream: StreamLedger | undefined
  /** Everything seen up to `offset`, from the beginning of the stream. */
  seen: Key[]
  /** Seen behind `offset`: a data event whose control event the crash cut off. */
  beyond: Key[]
  offset: string
}

const pauseMs = 5

export function makeReaders(): Reader[] {
  const modes: readonly ReadMode[] = ['catch-up', 'catch-up', 'long-poll', 'long-poll', 'sse', 'sse', 'sse']
  return modes.map(mode => ({ mode, stream: undefined, seen: [], beyond: [], offset: '-1' }))
}

/** Reads until the world stops running. */
export async function read(world: World, reader: Reader): Promise<void> {
  while (world.running) {
    if (!reader.stream || world.random.chance(0.001)) turnTo(reader, world.random.pick(world.active.filter(stream => stream.created === 'acked')))
    if (reader.stream) await readOnce(world, reader, reader.stream)
    await Bun.sleep(pauseMs)
  }
}

/** Starts anew at the beginning of `stream`. */
export function turnTo(reader: Reader, stream: StreamLedger | undefined): void {
  reader.stream = stream
  reader.seen = []
  reader.beyond = []
  reader.offset = '-1'
}

async function readOnce(world: World, reader: Reader, stream: StreamLedger): Promise<void> {
  const live = reader.mode === 'catch-up' ? '' : `&live=${reader.mode}`
  let answer: Response
  let body = ''
  try {
    answer = await fetch(`${world.urlOf(stream)}?offset=${reader.offset}${live}`)
    if (answer.status === 200 && reader.mode === 'sse') return await followEvents(world, reader, stream, answer)
    body = await answer.text()
  } catch {
    return
  }
  if (answer.status === 404 || answer.status === 410) {
    if (stream.deleted === 'none') world.report(stream.name, `a reader was answered ${answer.status}`)
    return turnTo(reader, undefined)
  }
  if (answer.status === 429 || answer.status === 503) return
  if (answer.status !== 200 && answer.status !== 204) return world.report(stream.name, `a reader at ${reader.offset} was answered ${answer.status}`)
  if (answer.status === 200) take(world, reader, stream, body)
  advance(reader, answer.headers.get('stream-next-offset'))
  if (answer.headers.get('stream-closed') === 'true') turnTo(reader, undefined)
}

async function followEvents(world: World, reader: Reader, stream: StreamLedger, answer: Response): Promise<void> {
  const decoder = new TextDecoder()
  const isBase64 = answer.headers.get('stream-sse-data-encoding') === 'base64'
  let text = ''
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const finished = takeEvent(world, reader, stream, text.slice(0, end), isBase64)
      text = text.slice(end + 2)
      if (finished || reader.stream !== stream) return
    }
    if (!world.active.includes(stream) && stream.deleted === 'acked') return turnTo(reader, undefined)
  }
}

/** True when the event was the last one of a closed stream. */
function takeEvent(world: World, reader: Reader, stream: StreamLedger, event: string, isBase64: boolean): boolean {
  const lines = event.split('\n')
  const data = lines.filter(line => line.startsWith('data:')).map(line => line.slice(5))
  if (lines.includes('event: data')) {
    take(world, reader, stream, isBase64 ? Buffer.from(data.join(''), 'base64').toString('utf8') : data.join('\n'))
    return false
  }
  if (!lines.includes('event: control')) return false
  const control = parseControl(data.join('\n'))
  if (!control) {
    world.report(stream.name, `a control event is no JSON object: ${data.join('\n').slice(0, 120)}`)
    return true
  }
  if ('streamNextOffset' in control) advance(reader, String(control.streamNextOffset))
  if (!('streamClosed' in control)) return false
  turnTo(reader, undefined)
  return true
}

function parseControl(text: string): object | undefined {
  try {
    const control: unknown = JSON.parse(text)
    return typeof control === 'object' && control !== null ? control : undefined
  } catch {
    return undefined
  }
}

function take(world: World, reader: Reader, stream: StreamLedger, text: string): void {
  try {
    const records = text === '' ? [] : parseRecords(stream.kind, text)
    world.totals.recordsRead += records.length
    for (const record of records) reader.beyond.push(record)
  } catch (error) {
    world.report(stream.name, `a ${reader.mode} reader at ${reader.offset}: ${String(error)}`)
  }
}

function advance(reader: Reader, offset: string | null): void {
  if (offset === null) return
  reader.offset = offset
  reader.seen = reader.seen.concat(reader.beyond)
  reader.beyond = []
}
