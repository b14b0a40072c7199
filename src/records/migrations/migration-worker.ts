/** Thread entry point of migrations while the server runs. Only passes messages; the work is apply.ts. */
import { systemClock } from '../../lib/clock.ts'
import { OperatorError } from '../../lib/errors.ts'
import { systemIds } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { registerFunctions } from '../functions/register.ts'
import { applyMigrations } from './apply.ts'
import type { FromMigrator, ToMigrator } from './migrate-aside.ts'

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<ToMigrator>) => self.postMessage(migrate(data))

function migrate({ functions, ...options }: ToMigrator): FromMigrator {
  const context = { ...functions, ids: systemIds, clock: systemClock }
  try {
    return { kind: 'applied', result: applyMigrations({ ...options, functions: db => registerFunctions(db, context), clock: systemClock, log: silentLog }) }
  } catch (error) {
    if (error instanceof OperatorError) return { kind: 'refused', message: error.message, remedy: error.remedy, exitCode: error.exitCode }
    return { kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
