/** `headwater user mint` and `headwater token mint`: tokens of a user, as if logged in. */
import type { Command } from 'commander'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { expectOk, openTarget } from './target.ts'

interface MintFlags extends ConfigFlags {
  readonly json?: boolean
}

const tokensSchema = Type.Object({ auth_token: Type.String(), refresh_token: Type.String(), csrf_token: Type.String() })
const isTokens = lazily(() => Compile(tokensSchema))

/** `whole` prints all tokens in one line of base64, as TrailBase does; `access` the access token alone. */
export function addMint(parent: Command, context: Context, form: 'whole' | 'access'): void {
  const command = parent
    .command('mint')
    .description(form === 'whole' ? 'Print tokens of a user: JSON in base64' : 'Print an access token of a user that is good for 12 hours')
    .argument('<user>', 'address, user name or UUID')
    .action(context.action((user: string, flags: MintFlags) => mint(context, user, form, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
  addExamples(command, [
    form === 'whole'
      ? ['headwater user mint ann@example.com | base64 -d | jq -r .auth_token', 'the access token alone']
      : ['curl -H "Authorization: Bearer $(headwater token mint ann@example.com)" …', 'ask as this user'],
  ])
}

async function mint(context: Context, user: string, form: 'whole' | 'access', flags: MintFlags): Promise<number> {
  const target = await openTarget(context, flags)
  try {
    const init = { method: 'POST', body: JSON.stringify({ user }), headers: { 'Content-Type': 'application/json' } }
    const tokens = tokensOf(await (await expectOk(await target.control('/users/mint', init), `make tokens of ${user}`)).json())
    await context.io.out(flags.json === true ? jsonLine(tokens) : `${textOf(tokens, form)}\n`)
    return exitOk
  } finally {
    await target.close()
  }
}

function textOf(tokens: Static<typeof tokensSchema>, form: 'whole' | 'access'): string {
  return form === 'access' ? tokens.auth_token : Buffer.from(JSON.stringify(tokens)).toString('base64')
}

function tokensOf(value: unknown): Static<typeof tokensSchema> {
  if (isTokens().Check(value)) return value
  throw new OperatorError('the server answers in a form that this program does not know', 'Use the same version of both.', exitFailed)
}
