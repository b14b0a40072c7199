/** The kill loop: start, let everybody work, SIGKILL at a random moment, restart, compare everything found with the ledger. */
import { startServer, type Server, type StorageMode } from '../support/server.ts'
import { settle, type Observed, type StreamLedger } from './ledger.ts'
import { observe } from './observe.ts'
import { operate } from './operators.ts'
import { makeReaders, read, turnTo, type Reader } from './readers.ts'
import { verifyReader, verifyStream, type Violation } from './verify.ts'
import { World, type Totals } from './world.ts'
import { makeWriters, noteFound, write, type Writer } from './writers.ts'

export interface CampaignOptions {
  readonly mode: StorageMode
  readonly kills: number
  readonly seed: number
  readonly shards?: number
  readonly bin?: string
  readonly env?: Readonly<Record<string, string>>
  readonly onCycle?: (kill: number, totals: Totals, readyMs: number) => void
}

export interface CampaignResult {
  readonly seed: number
  readonly totals: Totals
  readonly violations: readonly Violation[]
  /** From spawn to ready after a kill. */
  readonly recoveryMs: { readonly median: number; readonly max: number }
  /** Time in which the writers wrote. */
  readonly workedMs: number
}

const writersCount = 64
const lifeMsMin = 5
const lifeMsMax = 500
/** Finished streams that are looked at after every kill; all of them are looked at in the end. */
const retiredSample = 12
const parallelReads = 6
const windDownMsMax = 20_000
const violationsMax = 20

/** Runs `kills` kills and the final comparison of every stream; ends early when too much is broken. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  await using server = await startServer({
    mode: options.mode,
    ...(options.shards ? { shards: options.shards } : {}),
    ...(options.bin ? { bin: options.bin } : {}),
    ...(options.env ? { env: options.env } : {}),
    readyMsMax: 30_000,
  })
  const world = new World(server.base, options.seed)
  const writers = makeWriters(writersCount)
  const readers = makeReaders()
  const recoveries: number[] = []
  let workedMs = 0
  for (let kill = 1; kill <= options.kills && world.violations.length < violationsMax; kill++) {
    workedMs += await liveAndDie(world, server, writers, readers)
    await server.restart()
    recoveries.push(server.readyMs)
    await compare(world, writers, readers, kill === options.kills ? world.retired : sample(world))
    options.onCycle?.(kill, world.totals, server.readyMs)
  }
  recoveries.sort((left, right) => left - right)
  return {
    seed: options.seed,
    totals: world.totals,
    violations: world.violations,
    recoveryMs: { median: recoveries[recoveries.length >> 1] ?? 0, max: recoveries.at(-1) ?? 0 },
    workedMs,
  }
}

async function liveAndDie(world: World, server: Server, writers: readonly Writer[], readers: readonly Reader[]): Promise<number> {
  world.running = true
  const work = [
    operate(world, readers),
    ...writers.map(writer => write(world, writer)),
    ...readers.map(reader => read(world, reader)),
  ]
  const lifeMs = world.random.between(lifeMsMin, lifeMsMax)
  await Bun.sleep(lifeMs)
  if (!server.alive) world.report('server', `it ended by itself: ${server.logs().slice(-2000)}`)
  await server.kill()
  world.running = false
  world.totals.kills++
  const late = Bun.sleep(windDownMsMax).then(() => 'late')
  if ((await Promise.race([Promise.all(work), late])) === 'late') throw new Error(`requests hang ${windDownMsMax} ms after the kill`)
  return lifeMs
}

async function compare(world: World, writers: readonly Writer[], readers: readonly Reader[], retired: readonly StreamLedger[]): Promise<void> {
  const read = readers.flatMap(reader => (reader.stream ? [reader.stream] : []))
  const streams = [...new Set([...world.active, ...retired, ...read])]
  const found = new Map<StreamLedger, Observed>()
  let next = 0
  const worker = async () => {
    for (let stream = streams[next++]; stream; stream = streams[next++]) {
      try {
        found.set(stream, await observe(world.base, stream))
      } catch (error) {
        world.report(stream.name, String(error))
        world.discard(stream)
      }
    }
  }
  await Promise.all(Array.from({ length: parallelReads }, worker))
  for (const [stream, observed] of found) compareStream(world, writers, stream, observed)
  for (const reader of readers) compareReader(world, reader, found)
  world.totals.streamsVerified += found.size
}

function compareStream(world: World, writers: readonly Writer[], stream: StreamLedger, observed: Observed): void {
  const broken = verifyStream(stream, observed)
  if (broken.length > 0) {
    world.violations.push(...broken)
    return world.discard(stream)
  }
  const pending = settle(stream, observed)
  for (const writer of writers) noteFound(writer, stream, pending)
  if (stream.created === 'none') world.active.splice(world.active.indexOf(stream), 1)
  else if (observed.gone || stream.closed === 'acked') world.retire(stream)
}

function compareReader(world: World, reader: Reader, found: ReadonlyMap<StreamLedger, Observed>): void {
  const { stream } = reader
  const observed = stream && found.get(stream)
  if (!stream || !observed) return
  if (observed.gone || world.isDiscarded(stream)) return turnTo(reader, undefined)
  const broken = verifyReader(stream.name, [...reader.seen, ...reader.beyond], observed.records)
  world.violations.push(...broken)
  if (broken.length > 0) turnTo(reader, undefined)
  reader.beyond = []
}

function sample(world: World): StreamLedger[] {
  const chosen = new Set<StreamLedger>()
  for (let turn = 0; turn < retiredSample; turn++) {
    const stream = world.random.pick(world.retired)
    if (stream) chosen.add(stream)
  }
  return [...chosen, ...world.retired.slice(-retiredSample)]
}
