/** Bytes that a client made look like a group of the commit log are never taken for one: neither replayed nor called damage. */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GroupEncoder, groupNumber, stampGroup } from '../../../src/streams/store/group.ts'
import { LogSegments } from '../../../src/streams/store/log-segments.ts'

const root = mkdtempSync(join(tmpdir(), 'headwater-forged-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const bytes = 64 * 1024

function group(number: number, payload: Uint8Array, key: number): Uint8Array {
  const encoder = new GroupEncoder()
  encoder.add({ kind: 'append', id: 0, start: 0, bytes: payload, atMs: 1, closes: false, seq: null, producer: null })
  const sealed = encoder.seal(number)
  stampGroup(sealed, key)
  return sealed
}

function replayed(segments: LogSegments): number[] {
  const numbers: number[] = []
  segments.replay(each => void numbers.push(groupNumber(each)), 0)
  return numbers
}

test('a group inside the bytes of a torn one, and at the place of the next one, is neither damage nor replayed', () => {
  let keys = 0x9000_0000
  const segments = new LogSegments(root, bytes, () => keys++)
  const key = segments.prepare(1, bytes)
  const path = segments.segments()[0]?.path ?? ''
  const first = group(1, Buffer.from('acknowledged'), key)
  const forged = group(2, Buffer.from('from a client'), 0)
  const higher = group(3, Buffer.from('from a client'), 0)
  const torn = group(2, Buffer.concat([forged, higher]), key)
  const file = readFileSync(path)
  file.set(first, 0)
  file.set(torn.subarray(0, torn.byteLength - 1), first.byteLength)
  writeFileSync(path, file)
  expect(replayed(segments)).toEqual([1])
  file.fill(0, first.byteLength).set(forged, first.byteLength)
  writeFileSync(path, file)
  expect(replayed(segments)).toEqual([1])
})

test('what an earlier use left in a segment is no part of its next one, whatever its numbers', () => {
  let keys = 1
  const segments = new LogSegments(join(root, 'again'), bytes, () => keys++)
  const key = segments.prepare(1, bytes)
  const path = segments.segments()[0]?.path ?? ''
  const file = readFileSync(path)
  const first = group(1, Buffer.from('one'), key)
  file.set(first, 0)
  file.set(group(2, Buffer.from('two'), key), first.byteLength)
  writeFileSync(path, file)
  expect(replayed(segments)).toEqual([1, 2])
  segments.recycle(1, bytes)
  segments.prepare(2, bytes)
  expect(replayed(segments)).toEqual([])
})
