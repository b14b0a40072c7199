/** The WAL of a process that was killed: whole, damaged where SQLite would be silent, or cut off where nothing was acknowledged. */
import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openUntouched, openWriter } from '../../src/storage/database.ts'
import { checkWal } from '../../src/storage/wal-check.ts'

const root = mkdtempSync(join(tmpdir(), 'headwater-wal-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const file = join(root, 'killed.db')
const wal = `${file}-wal`
const frameBytes = 24 + 4096
const ends = ['', '-wal', '-shm']
let frames = 0

beforeAll(() => {
  const live = join(root, 'live.db')
  const db = openWriter(live, { pageBytes: 4096, cacheBytes: 1024 * 1024 })
  db.run('CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)')
  for (let n = 0; n < 20; n++) db.query('INSERT INTO t VALUES (?, randomblob(6000))').run(n)
  for (const end of ends) copyFileSync(live + end, file + end)
  db.close()
  frames = (statSync(wal).size - 32) / frameBytes
})

/** A fresh copy, changed. */
function changed(change: (path: string) => void): string {
  const copy = join(root, 'copy.db')
  for (const end of ends) copyFileSync(file + end, copy + end)
  change(copy)
  return `${copy}-wal`
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  writeFileSync(path, bytes)
}

describe('after a kill', () => {
  test('a whole WAL is whole', () => {
    expect(frames).toBeGreaterThan(20)
    expect(checkWal(wal)).toEqual({ committedFrames: frames, damage: null, note: null })
    expect(checkWal(join(root, 'none-wal'))).toEqual({ committedFrames: 0, damage: null, note: null })
  })

  test('a flipped bit anywhere in it is damage', () => {
    const ofFrames = Array.from({ length: frames }, (_, n) => [32 + n * frameBytes + ((n * 7) % 24), 32 + n * frameBytes + 24 + ((n * 97) % 4096)]).flat()
    for (const at of [...Array(32).keys(), ...ofFrames]) {
      expect(checkWal(changed(copy => flip(`${copy}-wal`, at))).damage, `byte ${at}`).not.toBeNull()
    }
  })

  test('a WAL that was cut between two commits is damage, for its index knows better', () => {
    expect(checkWal(changed(copy => truncateSync(`${copy}-wal`, 32 + 5 * frameBytes))).damage).toContain('were committed')
    expect(checkWal(changed(copy => truncateSync(`${copy}-wal`, 0))).damage).toContain('were committed')
    expect(checkWal(changed(copy => rmSync(`${copy}-wal`))).damage).toContain('were committed')
  })

  test('without the index, a bad last commit is noted: a power cut may have left it so', () => {
    const withoutIndex = (change: (wal: string) => void) =>
      changed(copy => {
        rmSync(`${copy}-shm`)
        change(`${copy}-wal`)
      })
    expect(checkWal(withoutIndex(path => flip(path, 32 + (frames - 1) * frameBytes + 500)))).toMatchObject({ damage: null, note: expect.stringContaining('not whole') })
    expect(checkWal(withoutIndex(path => truncateSync(path, 32 + frames * frameBytes - 100)))).toMatchObject({ damage: null, note: expect.stringContaining('not whole') })
    expect(checkWal(withoutIndex(path => flip(path, 32 + 5 * frameBytes + 500))).damage).toContain('frame 5')
  })

  test('a damaged index is not believed', () => {
    for (const at of [0, 16, 17, 33, 60]) expect(checkWal(changed(copy => flip(`${copy}-shm`, at))).damage).toBeNull()
  })
})

test('what a rollback left behind the last commit is no damage', () => {
  const live = join(root, 'rollback.db')
  const db = openWriter(live, { pageBytes: 4096, cacheBytes: 16 * 1024 })
  db.run('CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)')
  db.run('BEGIN')
  for (let n = 0; n < 200; n++) db.query('INSERT INTO t VALUES (?, randomblob(6000))').run(n) // more than the cache: frames are written before the commit
  db.run('ROLLBACK')
  db.query('INSERT INTO t VALUES (1, ?)').run('stays')
  expect(statSync(`${live}-wal`).size).toBeGreaterThan(100 * frameBytes)
  expect(checkWal(`${live}-wal`).damage).toBeNull()
  db.close()
})

test('reading beside a WAL changes nothing and makes no file', () => {
  const at = changed(copy => rmSync(`${copy}-shm`))
  const copy = at.replace(/-wal$/, '')
  const before = [copy, at].map(path => Bun.hash(readFileSync(path)))
  const db = openUntouched(copy, true, 65536)
  expect(db.query('SELECT count(*) AS n FROM t').get()).toEqual({ n: 20 })
  expect(() => db.run('DELETE FROM t')).toThrow()
  db.close()
  expect([copy, at].map(path => Bun.hash(readFileSync(path)))).toEqual(before)
  expect(existsSync(`${copy}-shm`)).toBe(false)
  const other = new Database(copy)
  expect(other.query('SELECT count(*) AS n FROM t').get()).toEqual({ n: 20 })
  other.close()
})
