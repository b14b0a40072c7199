/** The directory that everything lives in: makes what is missing of it, and says what it made. What the files say is depot-files.ts. */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { OperatorError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { newConfig, newGitignore, newVault } from './depot-files.ts'
import type { Config } from './options.ts'
import { vaultPath } from './vault.ts'

export interface DepotReport {
  /** Directories and files that were made now, relative to the depot. */
  readonly made: readonly string[]
  /** What could not be made and can be done without, because it belongs to the operator. */
  readonly missing: readonly string[]
}

/**
 * Makes the depot of `config`, and nothing that is there already. `configFile` is the file that was read; with one no other is made. A
 * configuration, migrations and secrets that cannot be written are fine; a directory of data that cannot be made is an OperatorError (73).
 */
export function makeDepot(config: Config, configFile: string | null, log: Log): DepotReport {
  const maker = new Maker(config.depot)
  maker.directory(join(config.depot, 'data'), 'needed')
  const streams = join(config.depot, 'data', 'streams')
  if (config.storage.dataDir === streams && config.storage.mode !== 'memory') maker.directory(streams, 'needed')
  const migrations = ['main', ...config.databases.map(database => database.name)].map(name => join(config.records.migrationsDir, name))
  for (const path of [...migrations, config.records.uploadsDir, join(config.depot, 'secrets', 'keys'), join(config.depot, 'backups')]) maker.directory(path, 'wanted')
  maker.file(join(config.depot, '.gitignore'), newGitignore, 0o644)
  if (configFile === null) maker.file(join(config.depot, 'config.textproto'), newConfig, 0o644)
  const vault = join(config.depot, vaultPath)
  maker.file(vault, newVault, 0o600)
  warnOfReaders(vault, log)
  const { made, missing } = maker
  if (made.length > 0) log.info('depot prepared', { depot: config.depot, made })
  if (missing.length > 0) log.debug('parts of the depot cannot be written and are left out', { depot: config.depot, missing })
  return { made, missing }
}

/** What people are shown once, when a depot gets its first administrator. */
export function adminNotice(admin: { readonly email: string; readonly username: string; readonly password: string }): string {
  return [
    'The first administrator of this depot (shown this once):',
    `  email:    ${admin.email}`,
    `  username: ${admin.username}`,
    `  password: ${admin.password}`,
    '',
  ].join('\n')
}

class Maker {
  readonly made: string[] = []
  readonly missing: string[] = []
  readonly #depot: string

  constructor(depot: string) {
    this.#depot = depot
  }

  directory(path: string, need: 'needed' | 'wanted'): void {
    if (existsSync(path)) return
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      this.made.push(`${this.#name(path)}/`)
    } catch (error) {
      if (need === 'needed') throw new OperatorError(`${path} cannot be made (${codeOf(error)})`, 'Let the server’s user write there, or choose another --depot.', 73)
      this.missing.push(this.#name(path))
    }
  }

  /** Fails when somebody else made it in between, which is as good. */
  file(path: string, text: string, mode: number): void {
    if (existsSync(path)) return
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileSync(path, text, { flag: 'wx', mode })
      this.made.push(this.#name(path))
    } catch {
      this.missing.push(this.#name(path))
    }
  }

  #name(path: string): string {
    const name = relative(this.#depot, path)
    return name === '' || name.startsWith('..') ? path : name
  }
}

function warnOfReaders(vault: string, log: Log): void {
  const mode = existsSync(vault) ? statSync(vault).mode : 0
  if ((mode & 0o077) !== 0) log.warn('the vault can be read by other users of this machine; chmod 600 it', { path: vault, mode: (mode & 0o777).toString(8) })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
