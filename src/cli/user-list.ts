/** `headwater user list`: the users of a depot. */
import type { Command } from 'commander'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { jsonLine, table } from './output.ts'
import { expectOk, openTarget } from './target.ts'

interface ListFlags extends ConfigFlags {
  readonly json?: boolean
}

const nullableText = Type.Union([Type.String(), Type.Null()])
const userSchema = Type.Object({
  id: Type.String(),
  email: nullableText,
  unverified_email: nullableText,
  username: nullableText,
  admin: Type.Boolean(),
  mfa: Type.Boolean(),
  provider: Type.Number(),
})
type Listed = Static<typeof userSchema>
const isPage = lazily(() => Compile(Type.Object({ users: Type.Array(userSchema), next: nullableText })))

export function addUserList(parent: Command, context: Context): void {
  const command = parent
    .command('list')
    .description('List users, in the order of their ids')
    .action(context.action((flags: ListFlags) => list(context, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
  addExamples(command, [
    ['headwater user list', 'all users'],
    ['headwater user list --json | jq -r .email', 'one JSON object a line'],
  ])
}

async function list(context: Context, flags: ListFlags): Promise<number> {
  const target = await openTarget(context, flags)
  try {
    let after: string | null = ''
    for (let isFirst = true; after !== null; isFirst = false) {
      const page = pageOf(await (await expectOk(await target.control(`/users?${new URLSearchParams({ after })}`), 'list users')).json())
      await context.io.out(flags.json === true ? page.users.map(jsonLine).join('') : tableOf(page.users, isFirst))
      after = page.next
    }
    return exitOk
  } finally {
    await target.close()
  }
}

function pageOf(value: unknown): { readonly users: readonly Listed[]; readonly next: string | null } {
  if (isPage().Check(value)) return value
  throw new OperatorError('the server lists users in a form that this program does not know', 'Use the same version of both.', exitFailed)
}

function tableOf(users: readonly Listed[], isFirst: boolean): string {
  const rows = users.map(user => [user.id, user.email ?? '', user.username ?? '', notesOf(user)])
  const text = table(['ID', 'EMAIL', 'USERNAME', ''], rows, [])
  return isFirst ? text : text.slice(text.indexOf('\n') + 1)
}

function notesOf(user: Listed): string {
  const notes = [
    user.admin ? 'admin' : '',
    user.mfa ? 'second step' : '',
    user.unverified_email === null ? '' : `${user.unverified_email} is not confirmed`,
    user.provider === 0 ? '' : `from provider ${user.provider}`,
  ]
  return notes.filter(note => note !== '').join(', ')
}
