/** Thread entry point of an acid shard's writer. Only passes messages; the work is acid-writer.ts. */
import { AcidWriter } from './acid-writer.ts'
import { answer, serveWriter } from './worker-port.ts'

let writer: AcidWriter | null = null

serveWriter((message, clock) => {
  switch (message.kind) {
    case 'open':
      writer = new AcidWriter(message.settings, clock, answer, () => Bun.gc(true))
      return
    case 'group':
      return writer?.commit(message.number, message.group)
    case 'drain':
      return writer?.drain()
    case 'checkpoint':
      return writer?.restartWal()
    case 'close':
      return writer?.close()
    default:
      throw new Error(`an acid writer takes no ${message.kind}`)
  }
})
