/**
 * The journal of objects whose row is not committed yet: an empty file for each, made durable before the object and removed after the row.
 * A crash leaves it behind, and a sweep judges what it names (file-sweeper.ts). So nothing else has to be looked through.
 */
import { mkdirSync } from 'node:fs'
import { open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { throwStorageError } from './disk-errors.ts'
import { isObjectId } from './object-store.ts'
import { syncDirectory } from './sync-directory.ts'

export interface PendingObject {
  readonly id: string
  /** The database that would name it. */
  readonly database: string
  readonly sinceMs: number
}

export class PendingObjects {
  readonly #directory: string
  readonly #clock: Clock
  /** Those of requests that run. */
  readonly #active = new Map<string, PendingObject>()

  constructor(directory: string, clock: Clock) {
    this.#directory = directory
    this.#clock = clock
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }

  get activeCount(): number {
    return this.#active.size
  }

  /** Names the object; it may be made when this resolves. Refuses `insufficient_storage`. */
  async begin(id: string, database: string): Promise<void> {
    const object = { id, database, sinceMs: this.#clock.now() }
    this.#active.set(id, object)
    try {
      await (await open(join(this.#directory, nameOf(object)), 'w', 0o600)).close()
      await syncDirectory(this.#directory)
    } catch (error) {
      await this.end(id)
      throwStorageError(error)
    }
  }

  /** A row names it, or it is gone. Should the removal be lost in a crash, the sweep finds out the same. */
  async end(id: string): Promise<void> {
    const object = this.#active.get(id)
    this.#active.delete(id)
    if (object !== undefined) await this.forget(object)
  }

  /** The request is over, and it is not known what became of its row: the sweep is to judge. */
  abandon(id: string): void {
    this.#active.delete(id)
  }

  /** What no running request has begun. */
  async abandoned(): Promise<readonly PendingObject[]> {
    const names = await readdir(this.#directory)
    return names.map(parsedName).filter(object => object !== null).filter(({ id }) => !this.#active.has(id))
  }

  async forget(object: PendingObject): Promise<void> {
    await unlink(join(this.#directory, nameOf(object))).catch(() => {})
  }
}

function nameOf({ id, database, sinceMs }: PendingObject): string {
  return `${id}.${Math.floor(sinceMs)}.${encodeURIComponent(database)}`
}

function parsedName(name: string): PendingObject | null {
  const [id = '', since = '', ...database] = name.split('.')
  if (!isObjectId(id) || !/^\d+$/.test(since)) return null
  return { id, database: decodeURIComponent(database.join('.')), sinceMs: Number(since) }
}
