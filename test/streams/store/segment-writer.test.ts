/** Segments in a real table: every byte and border comes back, small ones are joined, damaged ones left alone, dropped ones swept. */
import type { Database } from 'bun:sqlite'
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWriter } from '../../../src/storage/database.ts'
import { boundaryAfter, segmentBytesAim, type Block } from '../../../src/streams/store/block.ts'
import { segmentBlock, type SegmentColumns, type SmallRun } from '../../../src/streams/store/rows.ts'
import { prepareSchema } from '../../../src/streams/store/schema.ts'
import { SegmentWriter } from '../../../src/streams/store/segment-writer.ts'

const root = mkdtempSync(join(tmpdir(), 'headwater-segments-'))
const file = join(root, 'shard.db')
const db: Database = openWriter(file, { pageBytes: 4096, cacheBytes: 1 << 20 })
prepareSchema(db, file)
afterAll(() => {
  db.close()
  rmSync(root, { recursive: true, force: true })
})

const dropped: number[] = []
const writer = new SegmentWriter(db, { put: (_id, _first, _start, bytes) => bytes, get: (_id, _first, row) => row.data ?? new Uint8Array(0), drop: id => void dropped.push(id) })
const none: SmallRun = { start: 0, count: 0 }
/** Bytes from which on a segment is not small. */
const largeBytes = segmentBytesAim / 4

beforeEach(() => {
  db.run('DELETE FROM segments')
  db.run('DELETE FROM dropped')
  dropped.length = 0
})

/** Records of these lengths, one behind the other; each is full of its own number. */
function records(lengths: readonly number[], start = 0): Block[] {
  let at = start
  return lengths.map((length, i) => {
    const block = { start: at, end: at + length, bytes: new Uint8Array(length).fill(i + 1), ends: null }
    at += length
    return block
  })
}

function stored(id: number): Block[] {
  const rows = db.query<SegmentColumns, [number]>('SELECT * FROM segments WHERE stream_id = ? ORDER BY start').all(id)
  return rows.map(row => segmentBlock(id, row, row.data ?? new Uint8Array(0)))
}

/** Writes records one by one, as a slow stream does. */
function writeEach(id: number, blocks: readonly Block[], run: SmallRun = none): SmallRun {
  return blocks.reduce((small, block) => writer.write(id, 0, [block], small), run)
}

const lengthsOf = (blocks: readonly Block[]) => blocks.map(block => block.end - block.start)

function bordersOf(blocks: readonly Block[]): number[] {
  return blocks.flatMap(block => {
    const borders: number[] = []
    for (let at = block.start; at < block.end; borders.push(at)) at = boundaryAfter(block, at)
    return borders
  })
}

describe('pieces', () => {
  test.each([
    [[], Infinity, [], 0],
    [[5], Infinity, [5], 0],
    [[5, 6, 7], Infinity, [18], 0],
    [[segmentBytesAim - 1, 1, 1], Infinity, [segmentBytesAim, 1], 0],
    [[segmentBytesAim, 1], Infinity, [segmentBytesAim, 1], 0],
    [[segmentBytesAim * 3, 1, 2], Infinity, [segmentBytesAim * 3, 3], 0],
    [[1, segmentBytesAim * 3, 2], Infinity, [1, segmentBytesAim * 3, 2], 0],
    [[40_000, 40_000, 40_000], 2, [40_000, 40_000], 1],
    [[40_000, 20_000, 40_000, 1], 1, [60_000], 2],
    [[5, 6], 0, [], 2],
  ])('records of %j bytes, %p pieces at once: %j, and %d records are left', (lengths, piecesMax, pieces, left) => {
    const all = records(lengths)
    const { blocks, rest } = writer.piecesOf(all, piecesMax)
    expect(lengthsOf(blocks)).toEqual(pieces)
    expect(rest).toEqual(all.slice(all.length - left))
    expect(bordersOf(blocks)).toEqual(all.slice(0, all.length - left).map(record => record.end))
  })
})

describe('the run of small segments', () => {
  test.each([
    [[], none, none],
    [[1], none, { start: 0, count: 1 }],
    [[1, 2], none, { start: 0, count: 2 }],
    [[largeBytes - 1], none, { start: 0, count: 1 }],
    [[largeBytes], none, { start: largeBytes, count: 0 }],
    [[1, largeBytes], none, { start: largeBytes + 1, count: 0 }],
    [[largeBytes, 1], none, { start: largeBytes, count: 1 }],
    [Array<number>(15).fill(1), none, { start: 0, count: 15 }],
    [Array<number>(16).fill(1), none, { start: 16, count: 0 }],
    [Array<number>(17).fill(1), none, { start: 16, count: 1 }],
  ])('after records of %j bytes, from %j, is %j', (lengths, before, after) => {
    expect(writer.write(1, 0, records(lengths), before)).toEqual(after)
  })
})

test.each([
  [Array<number>(15).fill(9), Array<number>(15).fill(9)],
  [Array<number>(16).fill(9), [144]],
  [Array<number>(33).fill(9), [144, 144, 9]],
  [[...Array<number>(15).fill(9), 200_000], [135, 200_000]],
  [Array<number>(16).fill(10_000), [60_000, 60_000, 40_000]],
  [[...Array<number>(10).fill(9), 50_000, ...Array<number>(16).fill(9)], [...Array<number>(10).fill(9), 50_000, 144]],
])('records of %j bytes become segments of %j, and no byte and no border is lost', (lengths, segments) => {
  const all = records(lengths)
  writeEach(1, all)
  const blocks = stored(1)
  expect(lengthsOf(blocks)).toEqual(segments)
  expect(Buffer.concat(blocks.map(block => block.bytes)).equals(Buffer.concat(all.map(record => record.bytes)))).toBe(true)
  expect(bordersOf(blocks)).toEqual(all.map(record => record.end))
})

test('joining goes on after a restart, from the run that was noted, and touches no other stream', () => {
  const other = records(Array<number>(5).fill(3), 200)
  writeEach(2, other, { start: 200, count: 0 })
  const all = records(Array<number>(16).fill(3), 100)
  const run = writeEach(1, all.slice(0, 9), { start: 100, count: 0 })
  expect(run).toEqual({ start: 100, count: 9 })
  writeEach(1, all.slice(9), { ...run })
  expect(lengthsOf(stored(1))).toEqual([48])
  expect(stored(2)).toEqual(other)
})

test('groups that are applied again after a crash leave what they left before', () => {
  const all = records([10, 20, 30])
  writer.write(1, 0, all, none)
  writer.write(1, 0, all.slice(1), { start: 0, count: 1 })
  expect(stored(1)).toEqual(all)
})

test('a run with a damaged segment is left as it is, the new bytes are stored behind it', () => {
  const all = records(Array<number>(16).fill(3))
  const run = writeEach(1, all.slice(0, 15))
  db.run("UPDATE segments SET data = x'FFFFFF' WHERE stream_id = 1 AND start = 12")
  const rowsBefore = db.query("SELECT * FROM segments WHERE stream_id = 1 AND start < 45").all()
  expect(writeEach(1, all.slice(15), run)).toEqual({ start: 48, count: 0 })
  expect(db.query("SELECT * FROM segments WHERE stream_id = 1 AND start < 45").all()).toEqual(rowsBefore)
  expect(() => stored(1)).toThrow('stream_damaged')
  const last = db.query<SegmentColumns, []>('SELECT * FROM segments WHERE stream_id = 1 AND start = 45').get()
  expect(last && segmentBlock(1, last, last.data ?? new Uint8Array(0))).toEqual(all[15] ?? null)
})

describe('dropped streams', () => {
  test('go with all of their segments, others stay, and their files are told to go once', () => {
    const kept = records(Array<number>(3).fill(3))
    writeEach(1, records(Array<number>(40).fill(largeBytes)))
    writeEach(2, kept)
    writeEach(3, records([5]))
    for (const id of [1, 3, 1]) writer.drop(id)
    expect(stored(1)).toHaveLength(40)
    expect(writer.sweepDropped(() => false)).toBe(true)
    expect([stored(1).length, stored(3).length]).toEqual([0, 0])
    expect(stored(2)).toEqual(kept)
    expect(dropped.toSorted()).toEqual([1, 3])
    expect(writer.sweepDropped(() => false)).toBe(true)
    expect(dropped).toHaveLength(2)
  })

  test('go a few segments at a time when there is no time, and nothing is told before the last is gone', () => {
    writeEach(1, records(Array<number>(20).fill(largeBytes)))
    writer.drop(1)
    const left: number[] = []
    while (!writer.sweepDropped(() => true)) left.push(stored(1).length)
    expect(left).toEqual([12, 4, 0, 0])
    expect(dropped).toEqual([1])
  })

  test('without segments leave nothing behind', () => {
    writer.drop(77)
    expect(writer.sweepDropped(() => false)).toBe(true)
    expect(dropped).toEqual([77])
    expect(db.query('SELECT * FROM dropped').all()).toEqual([])
  })
})
