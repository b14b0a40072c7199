/** The thread of checkpoints at the end of a store. Checkpoints themselves are proved by the crash and contract tests. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Checkpointer } from '../../src/storage/checkpointer.ts'

test('a writer whose WAL grows while the store closes is passed over, whether the thread was ever needed or not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-checkpointer-'))
  const file = join(directory, 'a.db')
  new Database(file).close()
  const failures: string[] = []
  for (const needed of [true, false]) {
    let started = 0
    const start = () => (started++, new Worker(new URL('../../src/storage/checkpoint-worker.ts', import.meta.url).href))
    const checkpointer = new Checkpointer(start, message => void failures.push(message))
    if (needed) await new Promise<void>(resolve => checkpointer.request(file, resolve))
    await checkpointer.close()
    checkpointer.request(file, () => failures.push('copied'))
    await Bun.sleep(50)
    expect(started).toBe(needed ? 1 : 0)
  }
  expect(failures).toEqual([])
  rmSync(directory, { recursive: true })
})
