/** Reads the configuration again while the server runs, and applies what can be applied; a bad one keeps the old. Who asks for it is lifecycle.ts (SIGHUP) and the control API. */
import { OperatorError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { configOf, type LoadedConfig } from './config.ts'
import { optionTable, type Config, type OptionPath } from './options.ts'

export interface ReloadAnswer {
  readonly ok: boolean
  /** Options whose new value holds now. */
  readonly applied: readonly OptionPath[]
  /** Options that changed since the start, and whose new value needs a restart. */
  readonly needsRestart: readonly OptionPath[]
  readonly warnings: readonly string[]
  /** Why the old configuration stays; null when it does not. */
  readonly problem: string | null
}

export interface ReloadOptions {
  /** What the server was started with. */
  readonly first: LoadedConfig
  /** Reads file, vault, environment and flags again. Throws what loadConfig throws. */
  readonly load: () => LoadedConfig
  /** Brings the server to `config`: databases, migrations, record APIs, schemas. Throws and changes nothing when that cannot be. */
  readonly apply: (config: Config) => Promise<void>
  readonly log: Log
}

export class ConfigReload {
  readonly #options: ReloadOptions
  #values: ReadonlyMap<OptionPath, unknown>
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#values = options.first.values
  }

  /** Applies the configuration as it is now, also when nothing in it changed: migrations may be new. One at a time; never rejects. */
  reload(): Promise<ReloadAnswer> {
    const next = this.#running.then(() => this.#reload())
    this.#running = next
    return next
  }

  async #reload(): Promise<ReloadAnswer> {
    const { load, apply, log } = this.#options
    let needsRestart: readonly OptionPath[] = []
    let warnings: readonly string[] = []
    try {
      const loaded = load()
      warnings = loaded.warnings
      const changed = [...optionTable.keys()].filter(path => !Bun.deepEquals(loaded.values.get(path), this.#values.get(path)))
      const applied = changed.filter(isLive)
      needsRestart = changed.filter(path => !isLive(path))
      const values = new Map([...this.#values].map(([path, value]) => [path, isLive(path) ? loaded.values.get(path) : value] as const))
      await apply(configOf(values))
      this.#values = values
      for (const warning of warnings) log.warn(warning)
      if (needsRestart.length > 0) log.warn('some options changed that take a restart', { options: needsRestart })
      log.info('configuration applied', { changed: applied })
      return { ok: true, applied, needsRestart, warnings, problem: null }
    } catch (error) {
      const problem = reasonOf(error)
      log.error('the new configuration is not usable; the old one stays', { reason: problem, error: error instanceof OperatorError ? undefined : error })
      return { ok: false, applied: [], needsRestart, warnings, problem }
    }
  }
}

function isLive(path: OptionPath): boolean {
  return optionTable.get(path)?.isLive === true
}

/** What an operator may read; a fault of ours is in the log only. */
function reasonOf(error: unknown): string {
  return error instanceof OperatorError ? `${error.message}\n${error.remedy}` : 'something went wrong; the log has the details'
}
