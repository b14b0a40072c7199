/** Files of streams: bytes at their position, damage told, and no file held open that has no name any more. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StreamFiles } from '../../../src/streams/store/stream-files.ts'

let directory = ''
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'headwater-files-'))))
afterEach(() => rmSync(directory, { recursive: true }))

/** How many descriptors of this process lead below the directory; null where the system does not tell. */
function openBelow(): number | null {
  if (process.platform !== 'linux') return null
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
    } catch {
      return false // the descriptor of the listing itself
    }
  }).length
}

test('bytes are read back from where they were written, also by another reader', () => {
  const writer = new StreamFiles(directory, 'write')
  const reader = new StreamFiles(directory, 'read')
  writer.write(7, 0, Buffer.from('hello '))
  writer.write(7, 6, Buffer.from('world'))
  expect(Buffer.from(reader.read(7, 4, 4)).toString()).toBe('o wo')
  expect(() => reader.read(7, 8, 10)).toThrow('stream_damaged')
  expect(() => reader.read(8, 0, 1)).toThrow('stream_damaged')
  writer.close()
  reader.close()
})

test('a stream that is forgotten keeps no file open', () => {
  const writer = new StreamFiles(directory, 'write')
  const reader = new StreamFiles(directory, 'read')
  writer.write(7, 0, Buffer.from('x'))
  reader.read(7, 0, 1)
  writer.remove(7)
  if (openBelow() !== null) expect(openBelow()).toBe(1)
  reader.forget(7)
  if (openBelow() !== null) expect(openBelow()).toBe(0)
  writer.close()
  reader.close()
})
