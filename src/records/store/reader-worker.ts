/** Thread entry point of a reader of the record databases. Only passes messages; the work is row-reader.ts and finish.ts. */
import { systemClock } from '../../lib/clock.ts'
import { Refusal, type DetailsOf, type ErrorCode } from '../../lib/errors.ts'
import { problemOf } from '../../storage/sqlite-errors.ts'
import { finish } from './finish.ts'
import type { FromReader, ToReader } from './messages.ts'
import { DeadlinePassed } from './prepare-connection.ts'
import { RowReader } from './row-reader.ts'
import { failureOf } from './thread-failure.ts'

declare const self: Worker

let reader: RowReader | null = null

self.onmessage = ({ data }: MessageEvent<ToReader>) => {
  try {
    take(data)
  } catch (error) {
    say(failureOf(error))
  }
}

function take(message: ToReader): void {
  switch (message.kind) {
    case 'open':
      reader?.close()
      reader = new RowReader(message.functions, systemClock)
      return say({ kind: 'ready' })
    case 'read':
      if (reader !== null) say(answerTo(reader, message))
      return
    case 'close':
      reader?.close()
      return say({ kind: 'closed' })
  }
}

function answerTo(from: RowReader, { id, plan, statements, finish: spec, ...limits }: ToReader & { readonly kind: 'read' }): FromReader {
  try {
    const { rows, columns } = from.read(plan, statements, limits)
    return spec === null ? { kind: 'rows', id, rows, columns } : { kind: 'text', id, text: finish(spec, rows) }
  } catch (error) {
    return failedRead(id, error)
  }
}

/** A read that fails has changed nothing: only its own request hears of it. */
function failedRead(id: number, error: unknown): FromReader {
  if (error instanceof DeadlinePassed) return { kind: 'late', id }
  if (error instanceof Refusal) return { kind: 'denied', id, code: error.code, details: error.details as DetailsOf<ErrorCode> }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { kind: 'failed', id, problem: problemOf(error) ?? { errno: 10, message: String(error) }, stack }
}

function say(message: FromReader): void {
  self.postMessage(message)
}
