/** All databases of a depot, where they are, and how they are brought up to date: at the start, and while the server runs. */
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { registerFunctions, type FunctionSettings } from '../functions/register.ts'
import { applyMigrations } from './apply.ts'
import { createAdmin, type AdminCredentials } from './first-admin.ts'
import { migrateAside } from './migrate-aside.ts'

export interface DepotPlace {
  readonly depot: string
  readonly migrationsDir: string
  /** Names of the additional databases. */
  readonly databases: readonly string[]
}

export interface DatabaseFile {
  readonly name: string
  readonly path: string
}

/** The databases that records live in, `main` first. */
export function recordDatabases({ depot, databases }: Pick<DepotPlace, 'depot' | 'databases'>): readonly DatabaseFile[] {
  return ['main', ...databases].map(name => ({ name, path: join(depot, 'data', `${name}.db`) }))
}

/** Where sessions are: no record API sees them. */
export function sessionDatabase(depot: string): DatabaseFile {
  return { name: 'session', path: join(depot, 'data', 'session.db') }
}

/** Before anything else opens the databases. Resolves with the first administrator when one was made. Throws what applyMigrations throws. */
export async function migrateDepot(place: DepotPlace, parts: { functions: FunctionSettings; ids: Ids; clock: Clock; log: Log }): Promise<AdminCredentials | null> {
  const { ids, clock, log } = parts
  const functions = (db: Parameters<typeof registerFunctions>[0]) => registerFunctions(db, { ...parts.functions, ids, clock })
  const files = recordDatabases(place)
  const [main] = files.map(file => applyMigrations({ ...stepsOf(place, file), functions, clock, log }))
  applyMigrations({ database: 'session', path: sessionDatabase(place.depot).path, directory: null, functions, clock, log })
  const path = files[0]?.path
  return path === undefined || main?.adminDecided === true ? null : createAdmin({ path, functions, ids, clock })
}

/** New migrations while the server runs. Those of one database that fail leave what was applied to the ones before it. */
export async function migrateRunning(place: DepotPlace, { functions, log }: { functions: FunctionSettings; log: Log }): Promise<void> {
  for (const file of recordDatabases(place)) await migrateAside({ ...stepsOf(place, file), functions, log })
}

function stepsOf({ migrationsDir }: DepotPlace, { name, path }: DatabaseFile) {
  return { database: name, path, directory: join(migrationsDir, name), legacyDirectory: name === 'main' ? migrationsDir : null }
}
