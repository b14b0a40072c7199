/** `headwater stream ls`: the streams of a depot. */
import type { Command } from 'commander'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { count } from './arguments.ts'
import { humanBytes, jsonLine, table } from './output.ts'
import { addTargetFlags, expectOk, openTarget, type TargetFlags } from './target.ts'

interface LsFlags extends TargetFlags {
  readonly limit?: number
}

const pageStreamsMax = 1000

export function addLs(parent: Command, context: Context): void {
  const command = parent
    .command('ls')
    .description('List streams, in the order of their paths')
    .argument('[prefix]', 'only streams whose path starts with this', '')
    .option('--limit <COUNT>', 'list at most this many', count)
    .action(context.action((prefix: string, flags: LsFlags) => list(context, prefix, flags)))
  addTargetFlags(command)
  addExamples(command, [
    ['headwater stream ls', 'all streams'],
    ['headwater stream ls chat/ --json | jq -r .path', 'one JSON object a line'],
  ])
}

async function list(context: Context, prefix: string, flags: LsFlags): Promise<number> {
  const target = await openTarget(context, flags)
  try {
    let after = ''
    let left = flags.limit ?? Infinity
    while (left > 0) {
      const query = new URLSearchParams({ prefix, after, limit: String(Math.min(left, pageStreamsMax)) })
      const page = pageOf(await (await expectOk(await target.control(`/streams?${query}`), 'list streams')).json())
      await context.io.out(flags.json === true ? page.streams.map(jsonLine).join('') : tableOf(page.streams, after === ''))
      left -= page.streams.length
      if (page.next === null) break
      after = page.next
    }
    return exitOk
  } finally {
    await target.close()
  }
}

const nullable = <Schema extends ReturnType<typeof Type.Number> | ReturnType<typeof Type.String>>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

const streamSchema = Type.Object({
  path: Type.String(),
  content_type: Type.String(),
  closed: Type.Boolean(),
  created_at_ms: Type.Number(),
  ttl_secs: nullable(Type.Number()),
  expires_at_ms: nullable(Type.Number()),
  start: Type.String(),
  tail: Type.String(),
  bytes: Type.Number(),
  forked_from: nullable(Type.String()),
})
type Listed = Static<typeof streamSchema>
const isPage = lazily(() => Compile(Type.Object({ streams: Type.Array(streamSchema), next: nullable(Type.String()) })))

function pageOf(value: unknown): { readonly streams: readonly Listed[]; readonly next: string | null } {
  if (isPage().Check(value)) return value
  throw new OperatorError('the server lists streams in a form that this program does not know', 'Use the same version of both.', exitFailed)
}

function tableOf(streams: readonly Listed[], isFirst: boolean): string {
  const rows = streams.map(stream => [stream.path, stream.content_type, humanBytes(stream.bytes), stream.tail, notesOf(stream)])
  const text = table(['PATH', 'CONTENT TYPE', 'SIZE', 'TAIL', ''], rows, [2])
  return isFirst ? text : text.slice(text.indexOf('\n') + 1)
}

function notesOf(stream: Listed): string {
  const notes = [
    stream.closed ? 'closed' : '',
    stream.ttl_secs === null ? '' : `ttl ${stream.ttl_secs}s`,
    stream.expires_at_ms === null || stream.ttl_secs !== null ? '' : `expires ${new Date(stream.expires_at_ms).toISOString()}`,
    stream.forked_from === null ? '' : `fork of ${stream.forked_from}`,
  ]
  return notes.filter(note => note !== '').join(', ')
}
