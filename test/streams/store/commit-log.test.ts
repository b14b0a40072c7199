/** Groups in real segment files: where they land, when the next file is asked for, and what happens when there is no room. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AssertionError } from '../../../src/lib/assert.ts'
import { CommitLog, systemDisk, type LogDisk } from '../../../src/streams/store/commit-log.ts'
import { GroupEncoder, groupIntact, groupNumber } from '../../../src/streams/store/group.ts'
import { LogSegments, segmentPath } from '../../../src/streams/store/log-segments.ts'
import { StoreFull } from '../../../src/streams/store/store.ts'

const root = mkdtempSync(join(tmpdir(), 'headwater-commit-log-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const firstBytes = 4096
const nextBytes = 8192
let directories = 0

function group(number: number, payloadBytes: number): Uint8Array {
  const encoder = new GroupEncoder()
  encoder.add({ kind: 'append', id: 1, start: 0, bytes: new Uint8Array(payloadBytes).fill(number), atMs: 0, closes: false, seq: null, producer: null })
  return encoder.seal(number)
}

const overheadBytes = group(1, 0).byteLength

/** A group that takes exactly so many bytes of the log. */
function groupOf(number: number, bytes: number): Uint8Array {
  return group(number, bytes - overheadBytes)
}

class Scene implements Disposable {
  readonly asked: number[] = []
  readonly segments: LogSegments
  readonly log: CommitLog
  /** While set, no segment is prepared. */
  failure: Error | null = null

  constructor(synced: boolean, disk: LogDisk = systemDisk) {
    let keys = 0x1000
    this.segments = new LogSegments(join(root, String(directories++)), nextBytes, () => keys++)
    const segmentKey = this.segments.prepare(1, firstBytes)
    this.log = new CommitLog({
      directory: this.segments.directory,
      segment: 1,
      segmentKey,
      segmentBytes: firstBytes,
      nextSegmentBytes: nextBytes,
      synced,
      disk,
      prepare: async segment => {
        this.asked.push(segment)
        if (this.failure !== null) throw this.failure
        return this.segments.prepare(segment, nextBytes)
      },
    })
  }

  get replayed(): number[] {
    const numbers: number[] = []
    this.segments.replay(each => void numbers.push(groupNumber(each)), 0)
    return numbers
  }

  [Symbol.dispose](): void {
    this.log.close()
  }
}

/** The real disk, which says that it is full only after it took the bytes: as file systems do that copy on write, or find their place late. */
class LateDisk implements LogDisk {
  refusals = 0

  write(file: number, bytes: Uint8Array, from: number, length: number, at: number, done: (error: Error | null, written: number) => void): void {
    systemDisk.write(file, bytes, from, length, at, (error, written) => done(error ?? this.#refusal(), written))
  }

  writeSync(file: number, bytes: Uint8Array, from: number, length: number, at: number): number {
    const isZero = bytes.every(byte => byte === 0)
    const refusal = this.#refusal()
    const written = isZero && refusal !== null ? 0 : systemDisk.writeSync(file, bytes, from, length, at)
    if (refusal !== null) throw refusal
    return written
  }

  #refusal(): Error | null {
    return this.refusals-- > 0 ? Object.assign(new Error('no room'), { code: 'ENOSPC' }) : null
  }
}

describe.each([
  ['synced', true],
  ['not synced', false],
])('%s', (_name, synced) => {
  test('groups stand one after another in their order and form, stamped with the key of their segment', async () => {
    using scene = new Scene(synced)
    const sizes = [100, 700, 64]
    for (const [i, size] of sizes.entries()) await scene.log.append(groupOf(i + 1, size))
    const [segment] = scene.segments.segments()
    const bytes = readFileSync(segment?.path ?? '')
    let at = 0
    for (const size of sizes) {
      expect(groupIntact(bytes.subarray(at, at + size), segment?.key ?? 0)).toBe(true)
      expect(groupIntact(bytes.subarray(at, at + size), (segment?.key ?? 0) + 1)).toBe(false)
      at += size
    }
    expect(bytes.byteLength).toBe(firstBytes)
    expect(bytes.subarray(at).every(byte => byte === 0)).toBe(true)
    expect(scene.replayed).toEqual([1, 2, 3])
  })

  test('a segment is filled to its last byte; the group after it begins the next', async () => {
    using scene = new Scene(synced)
    await scene.log.append(groupOf(1, firstBytes))
    expect(scene.log.segment).toBe(1)
    await scene.log.append(groupOf(2, nextBytes))
    expect(scene.log.segment).toBe(2)
    await scene.log.append(groupOf(3, 100))
    expect(scene.log.segment).toBe(3)
    expect(scene.replayed).toEqual([1, 2, 3])
    expect(scene.segments.segments().map(each => readFileSync(each.path).byteLength)).toEqual([firstBytes, nextBytes, nextBytes])
  })

  test('a group that does not fit the rest goes whole into the next segment', async () => {
    using scene = new Scene(synced)
    await scene.log.append(groupOf(1, firstBytes - 99))
    await scene.log.append(groupOf(2, 100))
    expect(scene.log.segment).toBe(2)
    expect(scene.replayed).toEqual([1, 2])
  })

  test('the next segment is asked for once, when half of this one is used', async () => {
    using scene = new Scene(synced)
    await scene.log.append(groupOf(1, firstBytes / 2))
    await scene.log.append(groupOf(2, 100))
    expect(scene.asked).toEqual([])
    for (let number = 3; number < 8; number++) await scene.log.append(groupOf(number, 100))
    expect(scene.asked).toEqual([2])
    await scene.log.append(groupOf(8, firstBytes))
    expect(scene.asked).toEqual([2])
    expect(scene.log.segment).toBe(2)
    await scene.log.append(groupOf(9, 100))
    expect(scene.asked).toEqual([2])
    await scene.log.append(groupOf(10, 100))
    expect(scene.asked).toEqual([2, 3])
    await scene.log.append(groupOf(11, nextBytes))
    expect(scene.asked).toEqual([2, 3])
    expect(scene.log.segment).toBe(3)
    expect(scene.replayed).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('without room for the next segment the append that needs it is refused, nothing of it is stored, and a later one succeeds', async () => {
    using scene = new Scene(synced)
    scene.failure = new StoreFull('no room, for a test')
    await scene.log.append(groupOf(1, firstBytes - 200))
    await scene.log.append(groupOf(2, 100))
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await scene.log.append(groupOf(3, 500)).catch((error: unknown) => error)).toBe(scene.failure)
    }
    expect(scene.log.segment).toBe(1)
    expect(scene.replayed).toEqual([1, 2])
    await scene.log.append(groupOf(3, 50))
    scene.failure = null
    await scene.log.append(groupOf(4, 500))
    expect(scene.log.segment).toBe(2)
    expect(scene.replayed).toEqual([1, 2, 3, 4])
  })

  test('a failure to prepare that is no lack of room stays what it is', async () => {
    using scene = new Scene(synced)
    scene.failure = new Error('broken')
    await scene.log.append(groupOf(1, firstBytes))
    expect(await scene.log.append(groupOf(2, 100)).catch((error: unknown) => error)).toBe(scene.failure)
  })

  test('a group that no segment can hold is a bug of ours', async () => {
    using scene = new Scene(synced)
    expect(await scene.log.append(groupOf(1, nextBytes + 1)).catch((error: unknown) => error)).toBeInstanceOf(AssertionError)
    expect(scene.replayed).toEqual([])
  })

  test('a group that was refused after its bytes arrived is not found again', async () => {
    const disk = new LateDisk()
    using scene = new Scene(synced, disk)
    await scene.log.append(groupOf(1, 100))
    disk.refusals = 1
    expect(await scene.log.append(groupOf(2, 300)).catch((error: unknown) => error)).toBeInstanceOf(StoreFull)
    expect(scene.replayed).toEqual([1])
    await scene.log.append(groupOf(2, 200))
    expect(scene.replayed).toEqual([1, 2])
  })

  test('one that cannot be taken back is not refused: the log is fatal', async () => {
    const disk = new LateDisk()
    using scene = new Scene(synced, disk)
    disk.refusals = Infinity
    const told: unknown = await scene.log.append(groupOf(1, 100)).catch((error: unknown) => error)
    expect(told).toBeInstanceOf(Error)
    expect(told).not.toBeInstanceOf(StoreFull)
  })

  // A file system that copies on write needs room also where a file has its full size; /dev/full refuses like that.
  test.if(process.platform === 'linux')('without room for the bytes themselves the append is refused', async () => {
    const segments = new LogSegments(join(root, String(directories++)), nextBytes, () => 7)
    segments.prepare(1, firstBytes)
    const path = segmentPath(segments.directory, 1, 7)
    renameSync(path, `${path}.away`)
    symlinkSync('/dev/full', path)
    const parts = { directory: segments.directory, segment: 1, segmentKey: 7, segmentBytes: firstBytes, nextSegmentBytes: nextBytes, synced }
    const log = new CommitLog({ ...parts, prepare: async () => 0 })
    try {
      expect(await log.append(groupOf(1, 100)).catch((error: unknown) => error)).toBeInstanceOf(StoreFull)
    } finally {
      log.close()
    }
  })
})

test('a segment that is not there is told when the log is opened', () => {
  const parts = { directory: root, segment: 9, segmentKey: 9, segmentBytes: firstBytes, nextSegmentBytes: nextBytes, synced: true }
  expect(() => new CommitLog({ ...parts, prepare: async () => 0 })).toThrow('ENOENT')
})
