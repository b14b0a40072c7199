/** The writer thread's end of the line: typed messages in and out, and no failure that stays silent. */
import { OperatorError, Refusal } from '../../lib/errors.ts'
import { damageRemedy } from './layout.ts'
import type { FromWriter, ToWriter } from './messages.ts'
import { isDamage } from './sqlite-errors.ts'

declare const self: Worker

export function answer(message: FromWriter): void {
  self.postMessage(message)
}

/** Calls `handle` for every message; whatever it throws is told to the server's thread, which ends the process. */
export function serveWriter(handle: (message: ToWriter) => void): void {
  let file = ''
  self.onmessage = ({ data }: MessageEvent<ToWriter>) => {
    if (data.kind === 'open') file = data.settings.file
    try {
      handle(data)
    } catch (error) {
      answer(failureOf(error, file))
    }
  }
}

function failureOf(error: unknown, file: string): FromWriter {
  const damage = isDamage(error) ? error.message : error instanceof Refusal && error.code === 'stream_damaged' ? error.message : null
  if (damage !== null) return { kind: 'refused', message: `${file} is damaged: ${damage}`, remedy: damageRemedy, exitCode: 74 }
  if (error instanceof OperatorError) {
    return { kind: 'refused', message: error.message, remedy: error.remedy, exitCode: error.exitCode }
  }
  return { kind: 'fatal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
