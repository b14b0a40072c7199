/** What was acknowledged survives: processes that are killed, disks that fail or fill up. Every acknowledged program is there once, every other whole or not at all. */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Database } from 'bun:sqlite'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Refusal } from '../../../src/lib/errors.ts'
import { makeDepot } from '../../support/depot.ts'
import { FailingDisk, hasCompiler } from '../../support/failing-disk.ts'
import { mountingWay, mountSmallDisk } from '../../support/small-disk.ts'
import { sql } from './writing-process.ts'

setDefaultTimeout(30_000)

const root = mkdtempSync(join(tmpdir(), 'headwater-records-crash-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('kill -9, again and again: what was acknowledged is there once, under its number, and numbers grow', async () => {
  const directory = join(root, 'kill')
  const acknowledged = new Map<number, number>()
  for (let round = 0; round < 4; round++) {
    const child = start(directory, 16, 300)
    const lines = await linesUntil(child, count => count > 300 + round * 211)
    child.kill('SIGKILL')
    for (const line of [...lines, ...(await rest(child))]) {
      const [number = 0, txn = 0] = line.split(' ').map(Number)
      expect(acknowledged.has(number)).toBe(false)
      acknowledged.set(number, txn)
    }
    check(directory, acknowledged)
  }
  expect(acknowledged.size).toBeGreaterThan(1200)
})

describe('a disk that fails', () => {
  for (const [call, ending] of hasCompiler() ? ([['fsync', 'main.db-wal'], ['pwrite64', 'main.db-wal'], ['fsync', 'main.db']] as const) : []) {
    test(`${call} of ${ending}: nothing is acknowledged any more`, async () => {
      const directory = join(root, `${call}-${ending}`)
      const disk = FailingDisk.make(join(root, `${call}-${ending}-library`), call, ending)
      const child = start(directory, 16, 20_000, disk.env)
      const lines = await linesUntil(child, count => count > 200)
      disk.arm()
      const more = await rest(child)
      expect(disk.struck).toBe(true)
      expect(more.at(-1)).toBe('fenced 1')
      const codes = new Set(more.filter(line => line.startsWith('refused')).map(line => line.split(' ')[2]))
      expect([...codes]).toEqual(['storage_fenced'])
      check(directory, acknowledgedOf([...lines, ...more]))
    })
  }
})

describe('a disk that is full', () => {
  for (const way of mountingWay() === 'root' ? ['root'] : []) {
    test(`refuses, acknowledges nothing that is not there, and takes again when there is room (${way})`, async () => {
      using disk = mountSmallDisk(join(root, 'small'), 64)
      const directory = join(disk.directory, 'depot')
      mkdirSync(directory)
      {
        await using depot = await makeDepot({ sql, directory })
        let number = 0
        const write = () => {
          const step = { kind: 'run', sql: 'INSERT INTO entry VALUES (?1, ?2)', params: [BigInt(++number), new Uint8Array(100_000)], atLeast: 1 } as const
          return depot.store.write('main', { steps: [step] }).then(() => null, (error: unknown) => (error instanceof Refusal ? error.code : error))
        }
        const acknowledged: number[] = []
        for (let isFull = false; !isFull; ) {
          const first = number + 1
          const codes = await Promise.all(Array.from({ length: 8 }, write))
          for (const [index, code] of codes.entries()) if (code === null) acknowledged.push(first + index)
          isFull = codes.some(code => code !== null)
          if (acknowledged.length > 80) disk.fill('filler') // others take the room that is kept free
          expect(codes.filter(code => code !== null && code !== 'insufficient_storage')).toEqual([])
        }
        expect(acknowledged.length).toBeGreaterThan(80)
        expect(depot.store.readNow('main', 'SELECT number FROM entry ORDER BY number', [])).toEqual(acknowledged.map(each => [BigInt(each)]))
        rmSync(join(disk.directory, 'filler'))
        let code: unknown = 'none'
        for (let tries = 0; code !== null && tries < 50; tries++) {
          code = await write()
          if (code !== null) await Bun.sleep(20)
        }
        expect(code).toBeNull()
        expect(depot.rows('SELECT count(*) FROM entry')).toEqual([[BigInt(acknowledged.length + 1)]])
        expect(depot.fenced).toEqual([])
      }
    })

    test(`that has no room for the first write either: it is refused, and taken when there is room (${way})`, async () => {
      using disk = mountSmallDisk(join(root, 'full'), 64)
      const directory = join(disk.directory, 'depot')
      mkdirSync(directory)
      await using depot = await makeDepot({ sql, directory })
      disk.fill('filler')
      const write = (number: bigint) => {
        const step = { kind: 'run', sql: 'INSERT INTO entry VALUES (?1, ?2)', params: [number, new Uint8Array(100)], atLeast: 1 } as const
        return depot.store.write('main', { steps: [step] }).then(() => null, (error: unknown) => (error instanceof Refusal ? error.code : error))
      }
      expect(await Promise.all([write(1n), write(2n)])).toEqual(['insufficient_storage', 'insufficient_storage'])
      await depot.store.refresh(depot.settings)
      expect(await write(3n)).toBe('insufficient_storage')
      rmSync(join(disk.directory, 'filler'))
      expect(await Promise.all([write(4n), write(5n)])).toEqual([null, null])
      expect(depot.rows('SELECT number FROM entry ORDER BY number')).toEqual([[4n], [5n]])
      expect(depot.fenced).toEqual([])
    })
  }
})

type Child = Bun.Subprocess<'ignore', 'pipe', 'inherit'>

function start(directory: string, writers: number, bodyBytes: number, env: Readonly<Record<string, string>> = {}): Child {
  const cmd = [process.execPath, join(import.meta.dir, 'writing-process.ts'), directory, String(writers), String(bodyBytes)]
  return Bun.spawn({ cmd, env: { ...process.env, ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
}

const readers = new WeakMap<Child, ReturnType<typeof wholeLines>>()

/** The lines until `isEnough`; the rest is there for `rest`. */
async function linesUntil(child: Child, isEnough: (count: number) => boolean): Promise<string[]> {
  const reader = wholeLines(child.stdout)
  readers.set(child, reader)
  const lines: string[] = []
  while (!isEnough(lines.length)) {
    const next = await reader.next()
    if (next.done === true) throw new Error('the process ended')
    lines.push(next.value)
  }
  return lines
}

async function rest(child: Child): Promise<string[]> {
  const lines: string[] = []
  for await (const line of readers.get(child) ?? []) lines.push(line)
  await child.exited
  return lines
}

/** Lines that were written whole. */
async function* wholeLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let pending = ''
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const lines = (pending + decoder.decode(next.value, { stream: true })).split('\n')
    pending = lines.pop() ?? ''
    yield* lines
  }
}

function acknowledgedOf(lines: readonly string[]): Map<number, number> {
  return new Map(lines.filter(line => /^\d/.test(line)).map(line => line.split(' ').map(Number) as [number, number]))
}

/** As the next start would find it. */
function check(directory: string, acknowledged: ReadonlyMap<number, number>): void {
  using db = new Database(join(directory, 'data', 'main.db'))
  const stored = new Map(db.query<[number, number], []>('SELECT number, txn FROM seen').values() as [number, number][])
  for (const [number, txn] of acknowledged) expect([number, stored.get(number)]).toEqual([number, txn])
  expect(db.query('SELECT count(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM seen s WHERE s.number = e.number)').values()).toEqual([[0]])
  expect(db.query('SELECT (SELECT n FROM _txn) = max(txn), count(*) = count(DISTINCT number) FROM seen').values()).toEqual([[1, 1]])
  expect(db.query('PRAGMA integrity_check').values()).toEqual([['ok']])
}
