/** `headwater config reload`: the running server reads its configuration again. Applying it is ops/config-reload.ts. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { loadDepot, type ConfigFlags } from './configured.ts'
import { exitFailed, exitOk, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { checked } from './table-format.ts'
import { expectOk, runningTarget } from './target.ts'

export interface ReloadFlags extends ConfigFlags {
  readonly json?: boolean
}

/** Resolves to 0; what the server refuses is an OperatorError with its reason. */
export async function configReload(context: Context, { json, ...flags }: ReloadFlags): Promise<number> {
  const target = await runningTarget(context, loadDepot(context, flags))
  if (target === null) throw new OperatorError('no server runs on this depot', 'A start reads the configuration anyhow; --depot names another depot.', exitFailed)
  const response = await expectOk(await target.control('/config/reload', { method: 'POST' }), 'config reload', 'The old configuration stays in force.')
  const answer = checked(isAnswer(), await response.json())
  for (const warning of answer.warnings) context.io.err(`warning: ${warning}\n`)
  const restart = answer.needs_restart.length === 0 ? '' : `; a restart is needed for ${answer.needs_restart.join(', ')}`
  const text = `applied: ${answer.applied.length === 0 ? 'migrations; no option changed' : answer.applied.join(', ')}${restart}\n`
  await context.io.out(json === true ? jsonLine(answer) : text)
  return exitOk
}

const isAnswer = lazily(() =>
  Compile(Type.Object({ applied: Type.Array(Type.String()), needs_restart: Type.Array(Type.String()), warnings: Type.Array(Type.String()) })),
)
