/** `headwater openapi`: the OpenAPI document of a depot. Making it is admin/openapi.ts. */
import type { Command } from 'commander'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { addExamples, exitOk, type Context } from './context.ts'
import { expectOk, openTarget } from './target.ts'

interface OpenApiFlags extends ConfigFlags {
  readonly admin?: boolean
}

export function addOpenApi(program: Command, context: Context): void {
  const command = program
    .command('openapi')
    .description('Print the OpenAPI 3.1 document of every route, with the record APIs of this depot')
    .argument('[print]', 'as TrailBase has it; says nothing more')
    .option('--admin', 'also those for administrators, and those of the control socket')
    .action(context.action((_: string | undefined, flags: OpenApiFlags) => run(context, flags)))
  addConfigFlags(command, 'depot')
  addExamples(command, [['headwater openapi > openapi.json', 'for a generator of clients']])
}

async function run(context: Context, { admin, ...depot }: OpenApiFlags): Promise<number> {
  const target = await openTarget(context, depot)
  try {
    const response = await expectOk(await target.control(`/openapi${admin === true ? '?admin' : ''}`), 'openapi', '')
    await context.io.out(`${JSON.stringify(await response.json(), null, 2)}\n`)
    return exitOk
  } finally {
    await target.close()
  }
}
