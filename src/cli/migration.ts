/** `headwater migration NAME [DB]`: an empty file for the next migration. Applying them is records/migrations. */
import type { Command } from 'commander'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { OperatorError } from '../lib/errors.ts'
import { hint, nearest } from '../lib/suggest.ts'
import type { LoadedConfig } from '../ops/config.ts'
import { findMigrations } from '../records/migrations/migration-files.ts'
import { addConfigFlags, loadDepot, type ConfigFlags } from './configured.ts'
import { addExamples, exitOk, exitUsage, type Context } from './context.ts'

interface MigrationFlags extends ConfigFlags {
  readonly json?: boolean
}

export function addMigration(program: Command, context: Context): void {
  const command = program
    .command('migration')
    .description('Make an empty file for a migration, named by the time; the server applies it when it starts or gets SIGHUP')
    .argument('<name>', 'what it does, in letters, digits and "_"')
    .argument('[db]', 'database that it is for', 'main')
    .action(context.action((name: string, database: string, flags: MigrationFlags) => run(context, name, database, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
  addExamples(command, [
    ['headwater migration add_posts', 'migrations/main/U<time>__add_posts.sql'],
    ['headwater migration add_events analytics', 'for the database analytics'],
  ])
}

async function run(context: Context, name: string, database: string, flags: MigrationFlags): Promise<number> {
  const word = name.trim().replaceAll(/[\s-]+/g, '_')
  if (!/^\w{1,128}$/.test(word)) throw new OperatorError(`expected a name of letters, digits and "_", got ${JSON.stringify(name)}`, 'For instance: headwater migration add_posts', exitUsage)
  const { config } = loadDepot(context, flags)
  refuseUnknown(database, config)
  const path = makeFile(join(config.records.migrationsDir, database), word, Math.floor(context.clock.now() / 1000))
  await context.io.out(flags.json === true ? `${JSON.stringify({ path })}\n` : `${shown(path, context)}\n`)
  return exitOk
}

function refuseUnknown(database: string, config: LoadedConfig['config']): void {
  const known = ['main', ...config.databases.map(each => each.name)]
  if (known.includes(database)) return
  throw new OperatorError(`there is no database "${database}"${hint(nearest(database, known))}`, 'Add it to databases in the config file first.', 78)
}

/** Its number is greater than every other one, so that it is applied last. */
function makeFile(directory: string, word: string, nowSecs: number): string {
  const last = findMigrations(directory, null).files.at(-1)?.version ?? 0
  const path = join(directory, `U${Math.max(nowSecs, Math.floor(last) + 1)}__${word}.sql`)
  try {
    mkdirSync(directory, { recursive: true })
    writeFileSync(path, '', { flag: 'wx' })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new OperatorError(`${path} cannot be made (${code})`, 'Let your user write there, or set records.migrations_dir.', 73)
  }
  return path
}

function shown(path: string, context: Context): string {
  const name = relative(context.io.cwd, path)
  return name.startsWith('..') ? path : name
}
