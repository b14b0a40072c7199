/** `headwater stream create`: a new stream, or a fork of one. */
import type { Command } from 'commander'
import { headerText } from './arguments.ts'
import { addExamples, exitOk, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { addTargetFlags, expectOk, openTarget, type Target, type TargetFlags } from './target.ts'

interface CreateFlags extends TargetFlags {
  readonly contentType?: string
  readonly ttl?: string
  readonly expiresAt?: string
  readonly closed?: boolean
  readonly fork?: string
  readonly forkOffset?: string
  readonly forkSubOffset?: string
  readonly data?: string
}

export function addCreate(parent: Command, context: Context): void {
  const command = parent
    .command('create')
    .description('Create a stream; one that exists with the same settings is left as it is')
    .argument('<path>', 'path of the stream, for instance chat/1')
    .option('--content-type <TYPE>', 'content type (default: application/octet-stream, or that of --fork)', headerText)
    .option('--ttl <SECONDS>', 'remove it after this time without reads and writes', headerText)
    .option('--expires-at <TIME>', 'remove it at this time (RFC 3339)', headerText)
    .option('--data <TEXT>', 'first content')
    .option('--closed', 'accept nothing further')
    .option('--fork <PATH>', 'begin with the content of this stream')
    .option('--fork-offset <OFFSET>', 'up to this offset of it (default: its tail)', headerText)
    .option('--fork-sub-offset <COUNT>', 'and this many messages (JSON) or bytes further', headerText)
    .action(context.action((path: string, flags: CreateFlags) => create(context, path, flags)))
  addTargetFlags(command)
  addExamples(command, [
    ['headwater stream create chat/1 --content-type application/json', 'JSON messages'],
    ['headwater stream create build/7 --content-type text/plain --ttl 86400', 'gone a day after its last use'],
    ['headwater stream create chat/1-try --fork chat/1', 'go on from where chat/1 is now'],
  ])
}

async function create(context: Context, path: string, flags: CreateFlags): Promise<number> {
  const target = await openTarget(context, flags)
  try {
    const init: RequestInit = { method: 'PUT', headers: headersOf(flags, target) }
    const request = flags.data === undefined ? init : { ...init, body: flags.data }
    const response = await expectOk(await target.stream(path, request), `create ${path}`)
    const isNew = response.status === 201
    const tail = response.headers.get('Stream-Next-Offset')
    const text = isNew ? `created ${path}, tail ${tail}\n` : `${path} exists already, tail ${tail}\n`
    await context.io.out(flags.json === true ? jsonLine({ path, created: isNew, tail }) : text)
    return exitOk
  } finally {
    await target.close()
  }
}

function headersOf(flags: CreateFlags, target: Target): Headers {
  const headers = new Headers()
  const set = (name: string, value: string | undefined) => void (value !== undefined && headers.set(name, value))
  // Without a type, fetch would name the type of a text body; an empty one lets the server choose.
  headers.set('Content-Type', flags.contentType ?? '')
  set('Stream-TTL', flags.ttl)
  set('Stream-Expires-At', flags.expiresAt)
  set('Stream-Closed', flags.closed === true ? 'true' : undefined)
  set('Stream-Forked-From', flags.fork === undefined ? undefined : target.pathOf(flags.fork))
  set('Stream-Fork-Offset', flags.forkOffset)
  set('Stream-Fork-Sub-Offset', flags.forkSubOffset)
  return headers
}
