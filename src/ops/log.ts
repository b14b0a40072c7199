/** Writes log lines: JSON objects for machines, coloured text for a terminal. What callers see of a log is lib/log.ts. */
import { fstatSync, writeSync } from 'node:fs'
import type { Clock } from '../lib/clock.ts'
import type { Log, LogFields, LogLevel } from '../lib/log.ts'
import { levelOrder, type LogFilter, parseLogFilter } from './log-filter.ts'
import { logText, logValue } from './log-value.ts'

export interface LogStyle {
  readonly format: 'pretty' | 'json'
  readonly colour: boolean
  /** Lines begin with journald's `<priority>`. */
  readonly journal: boolean
}

export interface LogOptions {
  /** As RUST_LOG: `info,headwater::streams=debug`. */
  readonly filter: string
  readonly style: LogStyle
  /** Takes one line with its end. Must not throw; see lineWriter. */
  readonly write: (line: string) => void
  readonly clock: Clock
}

/** A log whose filter can change while it runs. */
export interface ReloadableLog extends Log {
  /** Refuses a filter it cannot read (OperatorError) and keeps the old one. */
  setFilter(filter: string): void
}

export function createLog(options: LogOptions): ReloadableLog {
  const shared: Shared = { ...options, active: parseLogFilter(options.filter), version: 0 }
  return Object.assign(new LineLog(shared, ''), {
    setFilter(filter: string) {
      shared.active = parseLogFilter(filter)
      shared.version++
    },
  })
}

/** The style for a stream: `auto` is pretty on a terminal and JSON elsewhere. `noColor` and `journalStream` are NO_COLOR and JOURNAL_STREAM. */
export function logStyle(choice: {
  readonly format: 'auto' | 'pretty' | 'json'
  readonly fd: number
  readonly isTerminal: boolean
  readonly noColor: string | undefined
  readonly journalStream: string | undefined
}): LogStyle {
  const format = choice.format === 'auto' ? (choice.isTerminal ? 'pretty' : 'json') : choice.format
  const colour = format === 'pretty' && choice.isTerminal && (choice.noColor ?? '') === ''
  return { format, colour, journal: isJournal(choice.fd, choice.journalStream) }
}

/** Writes whole lines to the file descriptor `fd`, at once, so that the last line before an exit is there. A log that cannot be written stops nothing. */
export function lineWriter(fd: number): (line: string) => void {
  return line => {
    const bytes = Buffer.from(line)
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    } catch {
      // A reader that is gone (EPIPE), a full pipe (EAGAIN) or a full disk: the line is lost, the server goes on.
    }
  }
}

interface Shared {
  readonly style: LogStyle
  readonly write: (line: string) => void
  readonly clock: Clock
  active: LogFilter
  version: number
}

class LineLog implements Log {
  readonly #shared: Shared
  readonly #target: string
  #threshold = 0
  #version = -1

  constructor(shared: Shared, target: string) {
    this.#shared = shared
    this.#target = target
  }

  trace(message: string, fields?: LogFields): void {
    this.#line('trace', message, fields)
  }
  debug(message: string, fields?: LogFields): void {
    this.#line('debug', message, fields)
  }
  info(message: string, fields?: LogFields): void {
    this.#line('info', message, fields)
  }
  warn(message: string, fields?: LogFields): void {
    this.#line('warn', message, fields)
  }
  error(message: string, fields?: LogFields): void {
    this.#line('error', message, fields)
  }
  fatal(message: string, fields?: LogFields): void {
    this.#line('fatal', message, fields)
  }

  enabled(level: LogLevel): boolean {
    if (this.#version !== this.#shared.version) {
      this.#version = this.#shared.version
      this.#threshold = this.#shared.active.threshold(this.#target)
    }
    return levelOrder[level] >= this.#threshold
  }

  child(target: string): Log {
    return new LineLog(this.#shared, this.#target === '' ? target : `${this.#target}::${target}`)
  }

  #line(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.enabled(level)) return
    const { style, clock, write } = this.#shared
    const at = new Date(clock.now())
    const target = this.#target === '' ? 'headwater' : `headwater::${this.#target}`
    const line = { at, level, target, message, fields: fields ?? {} }
    const text = style.format === 'json' ? jsonLine(line) : prettyLine(line, style.colour)
    write(`${style.journal ? prefixed(text, level) : text}\n`)
  }
}

interface Line {
  readonly at: Date
  readonly level: LogLevel
  readonly target: string
  readonly message: string
  readonly fields: LogFields
}

const reserved = new Set(['ts', 'level', 'target', 'msg'])

function jsonLine(line: Line): string {
  const out: Record<string, unknown> = {
    ts: line.at.toISOString(), level: line.level, target: line.target, msg: logText(line.message),
  }
  for (const [name, value] of Object.entries(line.fields)) out[reserved.has(name) ? `${name}_` : name] = logValue(name, value)
  // JSON escapes C0; DEL and C1 would still reach a terminal that shows the file.
  return JSON.stringify(out).replace(/[\x7f-\x9f\u2028\u2029]/g, unicodeEscape)
}

const colours: Readonly<Record<LogLevel, string>> = {
  trace: '\x1b[90m', debug: '\x1b[36m', info: '\x1b[32m', warn: '\x1b[33m', error: '\x1b[31m', fatal: '\x1b[1;31m',
}

function prettyLine(line: Line, colour: boolean): string {
  const paint = (code: string, text: string) => (colour ? `${code}${text}\x1b[0m` : text)
  const time = line.at.toISOString().slice(11, 23)
  const name = line.target.replace(/^headwater::/, '')
  const stacks: string[] = []
  const parts = Object.entries(line.fields)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => ` ${paint('\x1b[90m', `${visible(field)}=`)}${prettyValue(logValue(field, value), stacks)}`)
  const level = paint(colours[line.level], line.level.toUpperCase().padEnd(5))
  const head = `${paint('\x1b[90m', time)} ${level} ${paint('\x1b[90m', name)} ${visible(logText(line.message))}${parts.join('')}`
  return [head, ...stacks].join('\n')
}

function prettyValue(value: unknown, stacks: string[]): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) || value === '' ? visible(JSON.stringify(value)) : visible(value)
  if (typeof value === 'object' && value !== null && 'stack' in value && 'message' in value) {
    stacks.push(...String(value.stack).split('\n').map(row => `    ${visible(row.trim())}`))
    return visible(JSON.stringify(value.message))
  }
  return visible(JSON.stringify(value) ?? 'undefined')
}

/** Control characters as escapes, so that no input can move the cursor or forge a line. */
function visible(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, unicodeEscape)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Priorities of syslog, as journald reads them. */
const priorities: Readonly<Record<LogLevel, number>> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 }

function prefixed(text: string, level: LogLevel): string {
  return text.split('\n').map(row => `<${priorities[level]}>${row}`).join('\n')
}

/** JOURNAL_STREAM is inherited by children whose output goes elsewhere: only its device and inode decide. */
function isJournal(fd: number, journalStream: string | undefined): boolean {
  if (journalStream === undefined || journalStream === '') return false
  try {
    const { dev, ino } = fstatSync(fd)
    return journalStream === `${dev}:${ino}`
  } catch {
    return false
  }
}
