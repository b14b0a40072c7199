/** The first administrator of a new depot, with a password that is told once. Telling it is the caller's part. */
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import { openMigrator, type MigrationOptions } from './apply.ts'
import { isRecorded, record } from './history.ts'
import { firstAdminStep } from './internal-tables.ts'

export interface AdminCredentials {
  readonly email: string
  readonly username: string
  readonly password: string
}

/** Characters of the password: 120 random bits. */
const passwordCharacters = 20

/**
 * Inserts `admin@localhost` when the database was made by us and has no administrator; to be called behind applyMigrations for main. Returns
 * what the operator needs to log in, or null. The question is decided once for each database, also when the process ended in between.
 */
export async function createAdmin(options: Pick<MigrationOptions, 'path' | 'functions'> & { readonly ids: Ids; readonly clock: Clock }): Promise<AdminCredentials | null> {
  const { ids, clock } = options
  const db = openMigrator(options)
  try {
    if (isRecorded(db, '_internal_history', firstAdminStep.version)) return null
    const password = ids.secret().slice(0, passwordCharacters)
    const hash = await Bun.password.hash(password, { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 })
    return db.transaction(() => {
      if (isRecorded(db, '_internal_history', firstAdminStep.version)) return null
      record(db, '_internal_history', firstAdminStep, clock.now())
      const insert = `INSERT INTO _user (email, username, password_hash, admin)
SELECT 'admin@localhost', 'admin', ?1, 1
WHERE NOT EXISTS (SELECT 1 FROM _user WHERE admin OR email = 'admin@localhost' OR username = 'admin')`
      return db.run(insert, [hash]).changes === 0 ? null : { email: 'admin@localhost', username: 'admin', password }
    }).immediate()
  } finally {
    db.close()
  }
}
