/** A server of files in a process of its own, which a test kills: arguments are its directory, the minutes that its clock is ahead, and where it kills itself. */
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { DiskObjects } from '../../../src/records/files/disk-objects.ts'
import type { ObjectStore } from '../../../src/records/files/object-store.ts'
import { startRecordServer } from '../../support/record-server.ts'

const [, , directory = '', minutesAhead = '0', point = 'never'] = process.argv
const uploads = join(directory, 'uploads')
const disk = new DiskObjects(uploads)

/** `point` is reached by a file that begins with `die`, or by any removal. */
const dying: ObjectStore = {
  async put(id, chunks) {
    let dies = false
    async function* watched(): AsyncIterable<Uint8Array> {
      for await (const chunk of chunks) {
        dies ||= Buffer.from(chunk.subarray(0, 3)).toString() === 'die'
        yield chunk
        if (dies && point === 'half-written') die()
      }
    }
    await disk.put(id, watched())
    if (dies && point === 'before-row') die()
  },
  find: id => disk.find(id),
  async remove(ids) {
    if (point === 'before-removal' && ids.length > 0) die()
    const failed = await disk.remove(ids)
    if (point === 'after-removal' && ids.length > 0) die()
    return failed
  },
}

const table = (name: string) => `CREATE TABLE ${name} (
  id TEXT PRIMARY KEY NOT NULL, one TEXT CHECK (jsonschema('std.FileUpload', one)), many TEXT CHECK (jsonschema('std.FileUploads', many))) STRICT;`

const server = await startRecordServer({
  directory,
  sql: table('docs'),
  databases: { other: table('papers') },
  apis: [
    { name: 'docs', tableName: 'docs', aclWorld: ['create', 'read', 'update', 'delete'] },
    { name: 'papers', tableName: 'other.papers', aclWorld: ['create', 'read', 'update', 'delete'] },
  ],
  bodyBytesMax: 512 * 1024 * 1024,
  files: { objects: dying, directory: uploads },
  clock: { ...systemClock, now: () => systemClock.now() + Number(minutesAhead) * 60_000 },
})
console.log(server.url)

for await (const line of console) {
  if (line === 'sweep') await server.records.files.sweep()
  if (line === 'stop') {
    await server[Symbol.asyncDispose]()
    process.exit(0)
  }
  console.log('done')
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('still alive')
}
