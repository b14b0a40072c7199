/** Migrations while the server runs: in a thread of their own, so that nothing waits for them but the writer of that database, and that for 10 s at most. */
import { assert } from '../../lib/assert.ts'
import { OperatorError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { FunctionSettings } from '../functions/register.ts'
import type { AppliedMigrations, MigrationOptions } from './apply.ts'

export interface AsideOptions extends Pick<MigrationOptions, 'database' | 'path' | 'directory' | 'legacyDirectory'> {
  readonly functions: FunctionSettings
  readonly log: Log
}

export type ToMigrator = Omit<AsideOptions, 'log'>

export type FromMigrator =
  | { readonly kind: 'applied'; readonly result: AppliedMigrations }
  | { readonly kind: 'refused'; readonly message: string; readonly remedy: string; readonly exitCode: number }
  | { readonly kind: 'failed'; readonly message: string }

/** The same as applyMigrations. Rejects with its OperatorError. */
export async function migrateAside(options: AsideOptions): Promise<AppliedMigrations> {
  const { database, path, directory, legacyDirectory = null, functions, log } = options
  const worker = new Worker(new URL('./migration-worker.ts', import.meta.url).href)
  try {
    const answer = await answerOf(worker, { database, path, directory, legacyDirectory, functions })
    if (answer.kind === 'refused') throw new OperatorError(answer.message, answer.remedy, answer.exitCode)
    assert(answer.kind === 'applied', `migrations end or are refused, not: ${answer.kind === 'failed' ? answer.message : ''}`)
    const { applied, warnings } = answer.result
    for (const warning of warnings) log.warn(warning, { database })
    if (applied.length > 0) log.info('migrations applied', { database, count: applied.length, last: applied.at(-1)?.version })
    return answer.result
  } finally {
    worker.terminate()
  }
}

function answerOf(worker: Worker, message: ToMigrator): Promise<FromMigrator> {
  return new Promise(resolve => {
    worker.onmessage = ({ data }: MessageEvent<FromMigrator>) => resolve(data)
    worker.onerror = event => resolve({ kind: 'failed', message: event.message })
    worker.postMessage(message)
  })
}
