/** `headwater stream append`: data from the command line, a file or stdin; with --lines, each line as a message, exactly once. */
import { Option, type Command } from 'commander'
import { OperatorError } from '../lib/errors.ts'
import { backoffMs } from '../lib/backoff.ts'
import { LineSplitter } from '../admin/lines.ts'
import { headerText } from './arguments.ts'
import { addExamples, exitFailed, exitOk, exitUsage, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { counted, startProgress } from './progress.ts'
import { addTargetFlags, expectOk, openTarget, type Target, type TargetFlags } from './target.ts'

interface AppendFlags extends TargetFlags {
  readonly contentType?: string
  readonly file?: string
  readonly lines?: boolean
  readonly close?: boolean
  readonly seq?: string
}

/** Lines that are sent at once. */
const batchBytesMax = 512 * 1024
const batchLinesMax = 5000
const lineBytesMax = 64 * 1024 * 1024
const attemptsMax = 8
const retryDelays = { firstMs: 200, maxMs: 5000, jitterShare: 0.2 }

export function addAppend(parent: Command, context: Context): void {
  const command = parent
    .command('append')
    .description('Append data to a stream')
    .argument('<path>', 'path of the stream')
    .argument('[data]', 'what to append; without it and --file, stdin')
    .addOption(new Option('-f, --file <FILE>', 'append the content of this file'))
    .option('--lines', 'append every line as a message of its own; sent in batches, each retried and stored once')
    .option('--content-type <TYPE>', 'content type of the data (default: that of the stream)', headerText)
    .option('--seq <SEQ>', 'Stream-Seq: refused unless greater than the last one', headerText)
    .option('--close', 'then accept nothing further; alone, it only closes')
    .action(context.action((path: string, data: string | undefined, flags: AppendFlags) => append(context, path, data, flags)))
  addTargetFlags(command)
  addExamples(command, [
    [`headwater stream append chat/1 '{"text":"hello"}'`, 'one message'],
    ['make 2>&1 | headwater stream append build/7 --lines --close', 'a log as it comes, then close'],
    ['headwater stream append photos/1 --file cat.jpg', 'a file'],
    ['headwater stream append chat/1 --close', 'close'],
  ])
}

async function append(context: Context, path: string, data: string | undefined, flags: AppendFlags): Promise<number> {
  if (data !== undefined && flags.file !== undefined) throw usage('give the data or --file, not both')
  if (flags.lines === true && flags.seq !== undefined) throw usage('--seq goes with a single append, not with --lines')
  const target = await openTarget(context, flags)
  try {
    const type = flags.contentType ?? (await typeOf(target, path))
    const source = sourceOf(context, data, flags)
    const tail =
      flags.lines === true && source !== null
        ? await appendLines(context, target, path, type, source, flags)
        : await appendOnce(context, target, path, type, source, flags)
    await context.io.out(flags.json === true ? jsonLine({ path, tail, closed: flags.close === true }) : `tail ${tail}\n`)
    return exitOk
  } finally {
    await target.close()
  }
}

function usage(message: string): OperatorError {
  return new OperatorError(message, '`headwater stream append --help` shows examples.', exitUsage)
}

async function typeOf(target: Target, path: string): Promise<string> {
  const head = await expectOk(await target.stream(path, { method: 'HEAD' }), `append to ${path}`)
  return head.headers.get('Content-Type') ?? 'application/octet-stream'
}

interface Source {
  readonly body: ReadableStream<Uint8Array>
  readonly bytes: number | null
}

/** Null when there is nothing to append: `--close` alone, with nothing piped in. */
function sourceOf(context: Context, data: string | undefined, flags: AppendFlags): Source | null {
  if (data !== undefined) return { body: new Blob([data]).stream(), bytes: Buffer.byteLength(data) }
  if (flags.file !== undefined && flags.file !== '-') return { body: Bun.file(flags.file).stream(), bytes: Bun.file(flags.file).size }
  const isAsked = flags.file === '-' || flags.lines === true || flags.close !== true
  if (!isAsked) return null
  if (context.io.stdinIsTerminal && flags.file !== '-') throw usage('there is nothing to append: give data, --file or pipe it in')
  return { body: context.io.stdin(), bytes: null }
}

async function appendOnce(
  context: Context,
  target: Target,
  path: string,
  type: string,
  source: Source | null,
  flags: AppendFlags,
): Promise<string> {
  const headers = new Headers({ 'Content-Type': type })
  if (flags.seq !== undefined) headers.set('Stream-Seq', flags.seq)
  if (flags.close === true) headers.set('Stream-Closed', 'true')
  const init: RequestInit = { method: 'POST', headers }
  if (source === null) return tailOf(await expectOk(await target.stream(path, init), `close ${path}`))
  const progress = await startProgress(context.io, `appending to ${path}`, source.bytes, flags.json === true)
  const response = await target.stream(path, { ...init, body: counted(source.body, progress) })
  progress.stop(response.ok ? 'sent' : 'refused')
  return tailOf(await expectOk(response, `append to ${path}`))
}

/** Batches carry producer headers, so that a batch whose answer was lost is not stored twice. */
async function appendLines(
  context: Context,
  target: Target,
  path: string,
  type: string,
  source: Source,
  flags: AppendFlags,
): Promise<string> {
  const producer = `headwater-cli-${context.ids.random()}`
  const isJson = /^application\/json\b/i.test(type)
  let seq = 0
  let tail = ''
  const send = async (body: Uint8Array<ArrayBuffer> | null) => {
    const headers = new Headers({ 'Content-Type': type, 'Producer-Id': producer, 'Producer-Epoch': '0', 'Producer-Seq': String(seq++) })
    if (body === null) headers.set('Stream-Closed', 'true')
    tail = tailOf(await expectOk(await sendAgain(context, target, path, { method: 'POST', headers, body }), `append to ${path}`))
  }
  const progress = await startProgress(context.io, `appending to ${path}`, source.bytes, flags.json === true)
  for await (const batch of batchesOf(counted(source.body, progress))) {
    const lines = isJson ? batch.filter(line => !isBlank(line)) : batch
    if (lines.length > 0) await send(bodyOf(lines, isJson))
  }
  if (flags.close === true) await send(null)
  progress.stop(`sent ${seq} batches`)
  return tail === '' ? tailOf(await expectOk(await target.stream(path, { method: 'HEAD' }), `append to ${path}`)) : tail
}

async function* batchesOf(source: ReadableStream<Uint8Array>): AsyncGenerator<readonly Uint8Array[]> {
  const splitter = new LineSplitter({
    lineBytesMax,
    tooLong: () => {
      throw new OperatorError(`a line has more than ${lineBytesMax} bytes`, 'Append it as a whole, without --lines.', exitFailed)
    },
  })
  let batch: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    for (const line of splitter.push(chunk)) {
      batch.push(line.slice())
      bytes += line.byteLength + 1
      if (bytes < batchBytesMax && batch.length < batchLinesMax) continue
      yield batch
      batch = []
      bytes = 0
    }
    // What came so far goes now: a log that is piped in is seen while it is written.
    if (batch.length > 0) yield batch
    batch = []
    bytes = 0
  }
  const rest = splitter.rest()
  if (rest !== null) yield [rest]
}

/** A JSON stream takes one array of the lines; every other stream takes the lines as they were. */
function bodyOf(lines: readonly Uint8Array[], isJson: boolean): Uint8Array<ArrayBuffer> {
  if (isJson) return Buffer.from(`[${lines.map(line => Buffer.from(line).toString()).join(',')}]`)
  return Buffer.concat(lines.flatMap(line => [line, Buffer.from('\n')]))
}

function isBlank(line: Uint8Array): boolean {
  return line.every(byte => byte === 32 || byte === 9 || byte === 13)
}

async function sendAgain(context: Context, target: Target, path: string, init: RequestInit): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const isLast = attempt === attemptsMax - 1
    const response = await target.stream(path, init).catch(error => {
      if (isLast) throw error
      return null
    })
    if (response !== null && (isLast || (response.status !== 429 && response.status < 500))) return response
    await response?.body?.cancel()
    await context.clock.sleep(backoffMs(attempt, retryDelays, context.ids.jitter()))
  }
}

function tailOf(response: Response): string {
  return response.headers.get('Stream-Next-Offset') ?? 'unknown'
}
