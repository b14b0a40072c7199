/** Keeps two servers off one data directory. The system drops the lock with the process, however it ends. */
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'

export class DirectoryLock {
  readonly #db: Database

  /** Refuses when another process holds the directory. */
  constructor(directory: string) {
    this.#db = new Database(join(directory, 'lock.db'), { create: true, readwrite: true, strict: true })
    try {
      this.#db.run('PRAGMA locking_mode = EXCLUSIVE')
      this.#db.run('BEGIN EXCLUSIVE')
      this.#db.run('COMMIT') // in this locking mode the lock stays until the connection closes
    } catch {
      this.#db.close()
      throw new OperatorError(`another headwater uses ${directory}`, 'stop it first, or give this one another --depot', 75)
    }
  }

  release(): void {
    this.#db.close()
  }
}
