/** Thread entry point of the writer of a record database. Only passes messages; the work is group-writer.ts. */
import { systemClock } from '../../lib/clock.ts'
import { targetOf } from './connection.ts'
import { GroupWriter } from './group-writer.ts'
import type { FromWriter, ToWriter } from './messages.ts'
import { failureOf, openFailureOf } from './thread-failure.ts'

declare const self: Worker

let writer: GroupWriter | null = null
/** After a failure nothing runs any more: it would be built on what nobody knows. */
let failed = false

self.onmessage = ({ data }: MessageEvent<ToWriter>) => {
  if (failed) return
  try {
    take(data)
  } catch (error) {
    failed = true
    say(data.kind === 'open' ? openFailureOf(error, targetOf(data.settings.plan).path) : failureOf(error))
  }
}

function take(message: ToWriter): void {
  switch (message.kind) {
    case 'open':
    case 'reopen':
      writer = new GroupWriter(message.settings, systemClock, () => say({ kind: 'walGrown' }), writer?.close(true))
      return say({ kind: 'ready' })
    case 'group':
      if (writer !== null) say({ kind: 'done', number: message.number, ...writer.run(message.group) })
      return
    case 'exclusive':
      if (writer !== null) say({ kind: 'excluded', number: message.number, outcome: writer.exclusive(message.scripts, message.transaction) })
      return
    case 'checkpoint':
      return writer?.restartWal()
    case 'close':
      writer?.close(false)
      writer = null
      return say({ kind: 'closed' })
  }
}

function say(message: FromWriter): void {
  self.postMessage(message)
}
