/** The writer thread's end of the line: typed messages in and out, and no failure that stays silent. */
import { OperatorError } from '../../lib/errors.ts'
import type { FromWriter, ToWriter } from './messages.ts'

declare const self: Worker

export function answer(message: FromWriter): void {
  self.postMessage(message)
}

/** Calls `handle` for every message; whatever it throws is told to the server's thread, which ends the process. */
export function serveWriter(handle: (message: ToWriter) => void): void {
  self.onmessage = ({ data }: MessageEvent<ToWriter>) => {
    try {
      handle(data)
    } catch (error) {
      answer(failureOf(error))
    }
  }
}

function failureOf(error: unknown): FromWriter {
  if (error instanceof OperatorError) {
    return { kind: 'refused', message: error.message, remedy: error.remedy, exitCode: error.exitCode }
  }
  return { kind: 'fatal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
