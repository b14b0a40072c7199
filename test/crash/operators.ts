/** What happens to whole streams while the writers write: creations, closures, deletions and forks, each noted before it is sent. */
import { noteAcked, noteSent, producerOf, type StreamLedger } from './ledger.ts'
import { bodyOf, closer, contentType, creator } from './records.ts'
import type { Reader } from './readers.ts'
import type { World } from './world.ts'

const activeMin = 8
const activeMax = 14
const pauseMsMax = 25

/** Operates until the world stops running. */
export async function operate(world: World, readers: readonly Reader[]): Promise<void> {
  while (world.running) {
    await step(world, readers)
    await Bun.sleep(world.random.between(0, pauseMsMax))
  }
}

async function step(world: World, readers: readonly Reader[]): Promise<void> {
  const { random, active } = world
  if (active.length < activeMin) return await create(world, random.chance(0.3) ? random.between(1, 5) : 0)
  const choice = random.float()
  if (choice < 0.35 && active.length < activeMax) return await fork(world, readers)
  if (choice < 0.6 && active.length < activeMax) return await create(world, random.between(0, 3))
  const victim = random.pick(active)
  if (victim && choice < 0.8) return await close(world, victim, random.chance(0.5) ? random.between(1, 3) : 0)
  const unwanted = random.chance(0.5) ? victim : random.pick(world.retired.filter(stream => stream.deleted === 'none'))
  if (unwanted) await remove(world, unwanted)
}

async function create(world: World, initial: number): Promise<void> {
  const stream = world.addStream(initial)
  await put(world, stream, {})
}

/** Forks at the place where a reader stands, so what the fork inherits is exactly what that reader has seen. */
async function fork(world: World, readers: readonly Reader[]): Promise<void> {
  const reader = world.random.pick(readers.filter(one => one.stream?.deleted === 'none' && one.offset !== '-1' && one.seen.length < 5000))
  if (!reader?.stream) return
  const source = reader.stream
  const stream = world.addStream(0, reader.seen.slice(), source.kind)
  const path = new URL(world.urlOf(source)).pathname
  await put(world, stream, { 'stream-forked-from': path, 'stream-fork-offset': reader.offset }, source)
}

async function put(world: World, stream: StreamLedger, headers: Record<string, string>, source?: StreamLedger): Promise<void> {
  stream.created = 'unknown'
  world.active.push(stream)
  const answer = await request(world, stream, 'PUT', {
    headers: { 'content-type': contentType[stream.kind], ...headers },
    ...(stream.initial > 0 ? { body: bodyOf(stream.kind, stream.id, creator, 0, stream.initial) } : {}),
  })
  if (!answer) return
  if (answer.status === 201) {
    stream.created = 'acked'
    stream.tail = answer.headers.get('stream-next-offset') ?? ''
    if (source) world.totals.forked++
    else world.totals.created++
    return
  }
  world.active.splice(world.active.indexOf(stream), 1)
  // The source may have been deleted between the choice and the request: only then is a refusal right.
  const sourceGone = source !== undefined && source.deleted !== 'none' && [404, 409, 410].includes(answer.status)
  if (!sourceGone && !isBusy(world, answer)) world.report(stream.name, `creation was answered ${answer.status}`)
}

async function close(world: World, stream: StreamLedger, records: number): Promise<void> {
  if (stream.created !== 'acked' || stream.closed !== 'none' || stream.deleted !== 'none') return
  stream.closed = 'unknown'
  stream.closingRecords = records
  const ledger = producerOf(stream, closer)
  const sequence = noteSent(ledger, records)
  const answer = await request(world, stream, 'POST', {
    headers: {
      'stream-closed': 'true',
      'producer-id': 'closer',
      'producer-epoch': '0',
      'producer-seq': String(sequence),
      ...(records > 0 ? { 'content-type': contentType[stream.kind] } : {}),
    },
    ...(records > 0 ? { body: bodyOf(stream.kind, stream.id, closer, 0, records) } : {}),
  })
  if (!answer) return
  if (answer.status === 200 || answer.status === 204) {
    noteAcked(stream, ledger, answer.headers.get('stream-next-offset'))
    stream.closed = 'acked'
    world.totals.closed++
    return world.retire(stream)
  }
  ledger.starts.pop()
  ledger.pending = undefined
  stream.closed = 'none'
  stream.closingRecords = 0
  if (stream.deleted === 'none' && !isBusy(world, answer)) world.report(stream.name, `closing was answered ${answer.status}`)
}

async function remove(world: World, stream: StreamLedger): Promise<void> {
  if (stream.created !== 'acked' || stream.closed === 'unknown' || stream.deleted !== 'none') return
  stream.deleted = 'unknown'
  const answer = await request(world, stream, 'DELETE', {})
  if (!answer) return
  if (answer.status === 204 || answer.status === 200) {
    stream.deleted = 'acked'
    world.totals.deleted++
    return world.retire(stream)
  }
  if (isBusy(world, answer)) stream.deleted = 'none'
  else world.report(stream.name, `deletion was answered ${answer.status}`)
}

async function request(world: World, stream: StreamLedger, method: string, init: RequestInit): Promise<Response | undefined> {
  try {
    const answer = await fetch(world.urlOf(stream), { ...init, method })
    await answer.arrayBuffer()
    return answer
  } catch {
    world.totals.answersLost++
    return undefined
  }
}

function isBusy(world: World, answer: Response): boolean {
  const busy = answer.status === 429 || answer.status === 503
  if (busy) world.totals.refusedBusy++
  return busy
}
