/** Keeps a writer's WAL small without a checkpoint inside a commit: asks for one when it has grown, restarts it when it is copied. */
import type { Database } from 'bun:sqlite'
import { statSync } from 'node:fs'
import { busyTimeoutMs } from './database.ts'

/** The WAL is copied into the database file whenever it has grown by this much. */
const checkpointBytes = 16 * 1024 * 1024
/** Commits between two looks at the size of the WAL file. */
const commitsPerLook = 32

export class WalGauge {
  readonly #db: Database
  readonly #path: string
  readonly #grown: () => void
  readonly #schema: string
  readonly #patience: ((walBytes: number) => number) | null
  #commits = 0
  #asked = false

  /**
   * `grown` is called when another thread should copy the WAL of `file`; `restart` is then called back. `patience`: how many ms to wait then for
   * readers who are still in the WAL; without it as long as for any lock, which is for readers that are quick. `schema`: the name of `file` here.
   */
  constructor(db: Database, file: string, grown: () => void, options: { readonly schema?: string; readonly patience?: (walBytes: number) => number } = {}) {
    this.#schema = options.schema ?? 'main'
    this.#patience = options.patience ?? null
    this.#db = db
    this.#path = `${file}-wal`
    this.#grown = grown
  }

  afterCommit(): void {
    if (++this.#commits < commitsPerLook || this.#asked) return
    this.#commits = 0
    if (walBytes(this.#path) < checkpointBytes) return
    this.#asked = true
    this.#grown()
  }

  /**
   * Copies what little came since and lets the next commit write from the beginning of the WAL: under steady load a
   * passive checkpoint alone never does (it grew to 103 MB in 5 s). Without room (`isFull`) the WAL stays as it is until it is asked for again.
   */
  restart(isFull: (error: unknown) => boolean): void {
    if (this.#patience !== null) this.#db.run(`PRAGMA busy_timeout = ${this.#patience(walBytes(this.#path))}`)
    this.#checkpoint('RESTART', isFull)
    if (walBytes(this.#path) > 4 * checkpointBytes) this.#checkpoint('TRUNCATE', isFull)
    if (this.#patience !== null) this.#db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    this.#asked = false
    this.#commits = 0
  }

  /** Copies the whole WAL and cuts it to nothing, if there is room. */
  empty(isFull: (error: unknown) => boolean): void {
    this.#checkpoint('TRUNCATE', isFull)
  }

  #checkpoint(mode: 'RESTART' | 'TRUNCATE', isFull: (error: unknown) => boolean): void {
    try {
      this.#db.run(`PRAGMA "${this.#schema.replaceAll('"', '""')}".wal_checkpoint(${mode})`)
    } catch (error) {
      if (!isFull(error)) throw error
    }
  }
}

function walBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
