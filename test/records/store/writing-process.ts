/** A process that writes numbered programs to a store and says which are acknowledged, until it is killed or refused. Tests start it. */
import { writeSync } from 'node:fs'
import { Refusal } from '../../../src/lib/errors.ts'
import { makeDepot } from '../../support/depot.ts'

export const sql = `
  CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, body BLOB) STRICT;
  CREATE TABLE IF NOT EXISTS seen (txn INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;
  CREATE TRIGGER IF NOT EXISTS entry_seen AFTER INSERT ON entry BEGIN INSERT INTO seen VALUES ((SELECT n FROM _txn), new.number); END`

/** Prints `number txn` for each that is acknowledged, `refused number code` for each that is not, `fenced` when the storage failed. */
async function run(directory: string, writers: number, bodyBytes: number): Promise<void> {
  const depot = await makeDepot({ sql, directory })
  let next = Number(depot.rows('SELECT coalesce(max(number), 0) FROM entry')[0]?.[0]) + 1
  const body = new Uint8Array(bodyBytes)
  const write = async (): Promise<void> => {
    for (;;) {
      const number = next++
      const step = { kind: 'run', sql: 'INSERT INTO entry VALUES (?1, ?2)', params: [BigInt(number), body], atLeast: 1 } as const
      try {
        const result = await depot.store.write('main', { steps: [step] })
        if (!result.ok) throw new Error(JSON.stringify(result))
        writeSync(1, `${number} ${result.txn}\n`)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        writeSync(1, `refused ${number} ${error.code}\n`)
        if (error.code === 'storage_fenced') return
        await Bun.sleep(20)
      }
    }
  }
  await Promise.all(Array.from({ length: writers }, write))
  writeSync(1, `fenced ${depot.fenced.length}\n`)
  process.exit(1)
}

if (import.meta.main) await run(String(process.argv[2]), Number(process.argv[3]), Number(process.argv[4]))
