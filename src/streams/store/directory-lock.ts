/** Keeps two servers off one data directory. The system drops the lock with the process, however it ends. */
import { Database, SQLiteError } from 'bun:sqlite'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'

const lockName = 'lock.db'

export class DirectoryLock {
  readonly #db: Database

  /** Refuses when another process holds the directory. */
  constructor(directory: string, access: 'create' | 'existing' = 'create') {
    this.#db = new Database(join(directory, lockName), { create: access === 'create', readwrite: true, strict: true })
    try {
      this.#db.run('PRAGMA locking_mode = EXCLUSIVE')
      this.#db.run('BEGIN EXCLUSIVE')
      this.#db.run('COMMIT') // in this locking mode the lock stays until the connection closes
    } catch (error) {
      this.#db.close()
      if (!(error instanceof SQLiteError && error.code === 'SQLITE_BUSY')) throw error
      throw new OperatorError(`another headwater uses ${directory}`, 'stop it first, or give this one another --depot', 75)
    }
  }

  /** The lock of a directory that is only read: null where nobody ever wrote, or where nobody can. */
  static ofReader(directory: string): DirectoryLock | null {
    try {
      accessSync(join(directory, lockName), constants.W_OK)
    } catch {
      return null
    }
    return new DirectoryLock(directory, 'existing')
  }

  release(): void {
    this.#db.close()
  }
}
