/** Thread entry point of the writer of a record database. Only passes messages; the work is group-writer.ts. */
import { systemClock } from '../../lib/clock.ts'
import { isFull } from '../../storage/sqlite-errors.ts'
import { targetOf } from './connection.ts'
import { GroupWriter } from './group-writer.ts'
import type { FromWriter, ThreadSettings, ToWriter } from './messages.ts'
import { cannotOpen, failureOf } from './thread-failure.ts'

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
    say(failureOf(data.kind === 'open' ? cannotOpen(error, targetOf(data.settings.plan).path) : error))
  }
}

function take(message: ToWriter): void {
  switch (message.kind) {
    case 'open':
      return open(message.settings, { kind: 'opened' })
    case 'reopen':
      return open(message.settings, { kind: 'reopened' })
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

function open(settings: ThreadSettings, done: FromWriter): void {
  const decoder = writer?.close(true)
  writer = null
  try {
    writer = new GroupWriter(settings, systemClock, () => say({ kind: 'walGrown' }), decoder)
    say(done)
  } catch (error) {
    if (!isFull(error)) throw error
    say({ kind: 'unopened', message: String(error) })
  }
}

function say(message: FromWriter): void {
  self.postMessage(message)
}
