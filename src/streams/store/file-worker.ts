/** Thread entry point of the writer of the file modes. Only passes messages; the work is file-writer.ts. */
import { assert } from '../../lib/assert.ts'
import { systemIds } from '../../lib/ids.ts'
import { FileWriter } from './file-writer.ts'
import type { RelayedGroups } from './group-relay.ts'
import { splitGroups } from './group.ts'
import { answer, serveWriter } from './worker-port.ts'

const newKey = () => Bun.hash.crc32(systemIds.secret())

let writer: FileWriter | null = null

serveWriter((message, clock) => {
  switch (message.kind) {
    case 'open':
      assert(message.settings.directory !== null, 'a file store has a directory')
      writer = new FileWriter(message.settings, message.settings.directory, { clock, newKey }, answer, () => Bun.gc(true))
      return
    case 'apply':
      return addAll(message)
    case 'segment':
      return writer?.prepare(message.segment)
    case 'drain':
      return writer?.drain()
    case 'checkpoint':
      return writer?.restartWal()
    case 'close':
      return writer?.close()
    default:
      throw new Error(`a file writer takes no ${message.kind}`)
  }
})

function addAll({ first, groups, segment }: RelayedGroups): void {
  splitGroups(groups).forEach((group, i) => writer?.add(first + i, group, segment))
}
