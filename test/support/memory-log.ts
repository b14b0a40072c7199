/** A log that keeps its lines for a test to look at. */
import { silentLog, type Log, type LogFields, type LogLevel } from '../../src/lib/log.ts'

export interface Line {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

export function memoryLog(lines: Line[]): Log {
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}) => void lines.push({ level, message, fields })
  const log: Log = {
    ...silentLog,
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    enabled: () => true,
    child: () => log,
  }
  return log
}
