/** The writer of one record database, inside its thread: runs groups and scripts, keeps its WAL small. Messages are writer-worker.ts. */
import type { Database } from 'bun:sqlite'
import { dirname } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { DiskRoom } from '../../storage/disk-room.ts'
import { ProgramRunner, type ProgramOutcome, type Unrun } from '../../storage/program-runner.ts'
import { isBusy, isFull, problemOf } from '../../storage/sqlite-errors.ts'
import { WalGauge } from '../../storage/wal.ts'
import { openRecordWriter, targetOf } from './connection.ts'
import type { ExclusiveOutcome, Script, ThreadSettings } from './messages.ts'
import { Deadline, prepareConnection } from './prepare-connection.ts'
import { runScripts, ScriptFailed } from './scripts.ts'
import { OutcomeEncoder, ProgramDecoder, type WireBytes } from './wire.ts'

export interface GroupResult {
  /** One for each program. */
  readonly outcomes: WireBytes
  /** Number of the last transaction that wrote; null when none did. */
  readonly committed: number | null
}

const megabyte = 1024 * 1024
/** A long read keeps the WAL from starting anew. Commits wait for it, in ms, the longer the more the WAL has grown, in MB. */
const patienceSteps = [
  { megabytes: 64, ms: 10 },
  { megabytes: 128, ms: 20 },
  { megabytes: 256, ms: 200 },
  { megabytes: Infinity, ms: 2500 },
] as const

const patience = (walBytes: number): number => patienceSteps.find(({ megabytes }) => walBytes < megabytes * 1024 * 1024)?.ms ?? 0

export class GroupWriter {
  readonly #db: Database
  readonly #runner: ProgramRunner
  readonly #wal: WalGauge
  readonly #room: DiskRoom
  readonly #decoder: ProgramDecoder
  readonly #encoder = new OutcomeEncoder()

  /** `walGrown` is called when another thread should copy the WAL; `restartWal` is then to be called. */
  constructor({ plan, functions }: ThreadSettings, clock: Clock, walGrown: () => void, decoder = new ProgramDecoder()) {
    this.#decoder = decoder
    const { path } = targetOf(plan)
    this.#db = openRecordWriter(plan, db => prepareConnection(db, functions, new Deadline(clock)))
    this.#runner = new ProgramRunner(this.#db, plan.target)
    this.#wal = new WalGauge(this.#db, path, walGrown, { schema: plan.target, patience })
    this.#room = new DiskRoom(dirname(path))
  }

  /** Throws when the storage failed. */
  run(group: WireBytes): GroupResult {
    const { programs, bytes } = this.#decoder.decode(group)
    if (!this.#room.has(bytes, 0)) return { outcomes: this.#encoder.encode(programs.map(() => almostFull)), committed: null }
    const outcomes = this.#runner.run(programs)
    this.#wal.afterCommit()
    return { outcomes: this.#encoder.encode(outcomes), committed: this.#runner.written }
  }

  /** Runs `scripts` in one transaction of their own, or as they are. */
  exclusive(scripts: readonly Script[], transaction: boolean): ExclusiveOutcome | Unrun {
    try {
      if (!transaction) {
        const results = runScripts(this.#db, scripts)
        return this.#db.inTransaction ? unended(scripts) : { ok: true, txn: null, results }
      }
      const { txn, result } = this.#runner.alone(() => runScripts(this.#db, scripts))
      return { ok: true, txn, results: result }
    } catch (error) {
      if (error instanceof ScriptFailed) return { ok: false, script: error.script, problem: error.problem }
      if (isFull(error)) return { ok: null, why: 'full', message: String(error) }
      if (isBusy(error)) return { ok: null, why: 'busy', message: String(error) }
      const problem = problemOf(error)
      if (problem !== null) return { ok: false, script: scripts.length - 1, problem } // at COMMIT
      throw error
    } finally {
      if (this.#db.inTransaction) this.#db.run('ROLLBACK') // a script that begins must end
      this.#runner.forget()
      this.#wal.afterCommit()
    }
  }

  restartWal(): void {
    this.#wal.restart(isFull)
  }

  /** `keepWal`: the file is opened again at once. */
  close(keepWal: boolean): ProgramDecoder {
    if (!keepWal) this.#wal.empty(isFull)
    this.#runner.close()
    this.#db.close(true)
    return this.#decoder
  }
}

function unended(scripts: readonly Script[]): ExclusiveOutcome {
  return { ok: false, script: scripts.length - 1, problem: { errno: 1, message: 'a transaction was begun and not ended' } }
}

const almostFull: ProgramOutcome = { ok: null, why: 'full', message: 'the disk is almost full' }
