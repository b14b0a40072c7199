/** What the rest of the product needs of a log. Writing lines is ops/log.ts. */

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  trace(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  fatal(message: string, fields?: LogFields): void
  /** True when a line of `level` would be written: guard what is costly to put together. */
  enabled(level: LogLevel): boolean
  /** A log whose lines name `target` (for instance `streams`), by which the filter selects. */
  child(target: string): Log
}

export const silentLog: Log = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  enabled: () => false,
  child: () => silentLog,
}
