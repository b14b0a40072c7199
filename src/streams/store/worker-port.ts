/** The writer thread's end of the line: typed messages in and out, and no failure that stays silent. */
import { systemClock, type Clock } from '../../lib/clock.ts'
import { OperatorError, Refusal } from '../../lib/errors.ts'
import { isDamage } from '../../storage/sqlite-errors.ts'
import { damageRemedy } from './damage-remedy.ts'
import type { FromWriter, ToWriter } from './messages.ts'

declare const self: Worker

export function answer(message: FromWriter): void {
  self.postMessage(message)
}

/**
 * Calls `handle` for every message, with a clock for its timers. What either throws is told to the server's thread, which ends the process. Until
 * then nothing runs here any more: a step after a failed one would store what is built on it. (field.md B4)
 */
export function serveWriter(handle: (message: ToWriter, clock: Clock) => void): void {
  let file = ''
  let failed = false
  const guarded = (run: () => void) => {
    if (failed) return
    try {
      run()
    } catch (error) {
      failed = true
      answer(failureOf(error, file))
    }
  }
  const clock: Clock = { ...systemClock, after: (delayMs, run) => systemClock.after(delayMs, () => guarded(run)) }
  self.onmessage = ({ data }: MessageEvent<ToWriter>) => {
    if (data.kind === 'open') file = data.settings.file
    guarded(() => handle(data, clock))
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
