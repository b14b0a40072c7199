/** `headwater schema API`: the JSON Schema of a record API. Making it is records/json-schema.ts. */
import { Option, type Command } from 'commander'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { addExamples, exitOk, type Context } from './context.ts'
import { expectOk, openTarget } from './target.ts'

interface SchemaFlags extends ConfigFlags {
  readonly mode: string
}

export function addSchema(program: Command, context: Context): void {
  const mode = new Option('--mode <MODE>', 'of what a create takes, a read gives, or an update takes')
  const command = program
    .command('schema')
    .description('Print the JSON Schema (2020-12) of the records of an API')
    .argument('<api>', 'name of the record API')
    .addOption(mode.choices(['insert', 'select', 'update']).default('insert'))
    .action(context.action((api: string, flags: SchemaFlags) => run(context, api, flags)))
  addConfigFlags(command, 'depot')
  addExamples(command, [['headwater schema posts --mode select | npx json-schema-to-typescript', 'types for a client']])
}

async function run(context: Context, api: string, flags: SchemaFlags): Promise<number> {
  const { mode, ...depot } = flags
  const target = await openTarget(context, depot)
  try {
    const response = await expectOk(await target.control(`/schema?${new URLSearchParams({ api, mode })}`), `schema ${api}`, 'record_apis in the config file says which APIs there are.')
    await context.io.out(`${JSON.stringify(await response.json(), null, 2)}\n`)
    return exitOk
  } finally {
    await target.close()
  }
}
