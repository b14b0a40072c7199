/** `headwater user add`: a user who can log in at once. */
import type { Command } from 'commander'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { addExamples, exitFailed, exitOk, exitUsage, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { expectOk, openTarget } from './target.ts'

interface AddFlags extends ConfigFlags {
  readonly admin?: boolean
  readonly json?: boolean
}

const stdinBytesMax = 4096

export function addUserAdd(parent: Command, context: Context): void {
  const command = parent
    .command('add')
    .description('Add a user with a confirmed address')
    .argument('<email>', 'address to log in with')
    .argument('[password]', 'password; "-" reads it from standard input, without one it is made and printed')
    .option('--admin', 'the user is an administrator')
    .action(context.action((email: string, password: string | undefined, flags: AddFlags) => add(context, email, password ?? null, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
  addExamples(command, [
    ['headwater user add ann@example.com', 'prints the password that it made'],
    ['pass ann | headwater user add ann@example.com -', 'a password that no list of processes shows'],
  ])
}

async function add(context: Context, email: string, given: string | null, flags: AddFlags): Promise<number> {
  const password = given === '-' ? await firstLine(context) : given
  const target = await openTarget(context, flags)
  try {
    const body = JSON.stringify({ email, password, admin: flags.admin === true })
    const response = await target.control('/users', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
    const added = addedOf(await (await expectOk(response, `add ${email}`)).json())
    const made = added.password === null ? '' : `password: ${added.password}\n`
    await context.io.out(flags.json === true ? jsonLine(added) : `added ${email}\n${made}`)
    return exitOk
  } finally {
    await target.close()
  }
}

async function firstLine(context: Context): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of context.io.stdin()) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes('\n') || text.length > stdinBytesMax) break
  }
  const line = text.split(/\r?\n/, 1)[0] ?? ''
  if (line === '') throw new OperatorError('standard input holds no password', 'Write it there on one line, or leave the "-" away to have one made.', exitUsage)
  return line
}

const isAdded = lazily(() => Compile(Type.Object({ user: Type.Object({ id: Type.String() }), password: Type.Union([Type.String(), Type.Null()]) })))

function addedOf(value: unknown): { readonly user: { readonly id: string }; readonly password: string | null } {
  if (isAdded().Check(value)) return value
  throw new OperatorError('the server answers in a form that this program does not know', 'Use the same version of both.', exitFailed)
}
