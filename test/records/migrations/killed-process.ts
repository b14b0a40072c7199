/** A process that applies a migration which never ends, and says when it is in the middle of it. */
import { writeSync } from 'node:fs'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { applyMigrations } from '../../../src/records/migrations/apply.ts'
import { functions } from './depot-fixture.ts'

const [path = '', directory = ''] = process.argv.slice(2)
applyMigrations({
  database: 'main',
  path,
  directory,
  functions(db) {
    functions(db)
    db.function('announce', () => writeSync(1, 'in the middle\n'))
  },
  clock: systemClock,
  log: silentLog,
})
