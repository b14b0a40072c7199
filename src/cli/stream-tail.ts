/** `headwater stream tail`: read a stream, and follow it. Catch-up pages, then long-polls, so that every byte is as it was appended. */
import type { Command } from 'commander'
import { backoffMs } from '../lib/backoff.ts'
import { OperatorError } from '../lib/errors.ts'
import { headerText } from './arguments.ts'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { messagesOf } from './json-messages.ts'
import { jsonLine } from './output.ts'
import { addTargetFlags, expectOk, openTarget, type Target, type TargetFlags } from './target.ts'

interface TailFlags extends TargetFlags {
  readonly offset: string
  readonly follow?: boolean
}

interface Place {
  readonly offset: string
  readonly cursor: string | null
  readonly isAtTail: boolean
  readonly isClosed: boolean
}

const attemptsMax = 10
const retryDelays = { firstMs: 250, maxMs: 10_000, jitterShare: 0.3 }

export function addTail(parent: Command, context: Context): void {
  const command = parent
    .command('tail')
    .description('Print what a stream holds, and with --follow what comes. Messages of JSON streams come one a line')
    .argument('<path>', 'path of the stream')
    .option('--offset <OFFSET>', 'from here: an offset, -1 for the start, or now', headerText, '-1')
    .option('-f, --follow', 'wait for more until the stream is closed')
    .action(context.action((path: string, flags: TailFlags) => tail(context, path, flags)))
  addTargetFlags(command)
  addExamples(command, [
    ['headwater stream tail chat/1', 'all of it'],
    ['headwater stream tail chat/1 --follow --offset now', 'only what comes from now on'],
    ['headwater stream tail photos/1 > cat.jpg', 'bytes as they were appended'],
    ['headwater stream tail chat/1 --json', 'one JSON object a page: next offset and data'],
  ])
}

async function tail(context: Context, path: string, flags: TailFlags): Promise<number> {
  const target = await openTarget(context, flags)
  try {
    let place: Place = { offset: flags.offset, cursor: null, isAtTail: false, isClosed: false }
    while (!place.isAtTail) place = await readOn(context, target, path, place, flags)
    while (flags.follow === true && !place.isClosed) place = await readOn(context, target, path, place, flags)
    return exitOk
  } finally {
    await target.close()
  }
}

/** One request and the printing of its answer; when following, lost connections and busy servers are waited for. */
async function readOn(context: Context, target: Target, path: string, place: Place, flags: TailFlags): Promise<Place> {
  for (let attempt = 0; ; attempt++) {
    const isLast = flags.follow !== true || attempt === attemptsMax - 1
    const response = await target.stream(path, {}, queryOf(place)).catch(error => {
      if (isLast) throw error
      return null
    })
    if (response !== null && (isLast || (response.status !== 429 && response.status < 500))) {
      await print(context, await expectOk(response, `read ${path}`), place, flags)
      return placeAfter(response, place)
    }
    await response?.body?.cancel()
    await context.clock.sleep(backoffMs(attempt, retryDelays, context.ids.jitter()))
  }
}

function queryOf(place: Place): string {
  const query = new URLSearchParams()
  if (place.cursor !== null) query.set('cursor', place.cursor)
  if (place.isAtTail) query.set('live', 'long-poll')
  query.set('offset', place.offset)
  return query.toString()
}

function placeAfter(response: Response, before: Place): Place {
  const offset = response.headers.get('Stream-Next-Offset')
  if (offset === null) throw new OperatorError('the answer has no Stream-Next-Offset', 'Is this a Durable Streams server?', exitFailed)
  const isAtTail = isTrue(response, 'Stream-Up-To-Date')
  if (offset === before.offset && !isAtTail && response.status === 200) {
    throw new OperatorError(`the server makes no progress at offset ${offset}`, 'Report this with the version of the server.', exitFailed)
  }
  const cursor = response.headers.get('Stream-Cursor')
  return { offset, cursor, isAtTail: isAtTail || before.isAtTail, isClosed: isTrue(response, 'Stream-Closed') }
}

function isTrue(response: Response, header: string): boolean {
  return response.headers.get(header)?.toLowerCase() === 'true'
}

async function print(context: Context, response: Response, place: Place, flags: TailFlags): Promise<void> {
  if (response.status === 204) return
  const type = response.headers.get('Content-Type') ?? ''
  const isJsonStream = /^application\/json\b/i.test(type)
  if (flags.json === true) {
    const next = response.headers.get('Stream-Next-Offset')
    const head = JSON.stringify({ offset: place.offset, next_offset: next, content_type: type }).slice(0, -1)
    await context.io.out(await pageLine(response, head, isJsonStream, type))
  } else if (isJsonStream) {
    const messages = messagesOf(await response.text())
    if (messages.length > 0) await context.io.out(`${messages.join('\n')}\n`)
  } else {
    for await (const chunk of response.body ?? []) await context.io.out(chunk)
  }
}

/** The data of a JSON stream is put in as it is, so that no number loses a digit on its way. */
async function pageLine(response: Response, head: string, isJsonStream: boolean, type: string): Promise<string> {
  if (isJsonStream) return `${head},"messages":[${messagesOf(await response.text()).join(',')}]}\n`
  const bytes = await response.bytes()
  const data = /^text\//i.test(type) ? jsonLine(Buffer.from(bytes).toString()) : jsonLine(bytes.toBase64())
  return `${head},"${/^text\//i.test(type) ? 'text' : 'base64'}":${data.trimEnd()}}\n`
}
