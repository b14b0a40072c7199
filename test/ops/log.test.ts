/** Log lines: filter, JSON, pretty, journald, redaction, hostile text, and what must never throw. */
import { describe, expect, test } from 'bun:test'
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import type { LogFields, LogLevel } from '../../src/lib/log.ts'
import { parseLogFilter } from '../../src/ops/log-filter.ts'
import { logTextCharsMax } from '../../src/ops/log-value.ts'
import { createLog, lineWriter, logStyle, type LogStyle } from '../../src/ops/log.ts'

const plainJson: LogStyle = { format: 'json', colour: false, journal: false }

function logTo(style: LogStyle, filter = 'trace') {
  const lines: string[] = []
  return { lines, log: createLog({ filter, style, clock: systemClock, write: line => void lines.push(line) }) }
}

function jsonOf(message: string, fields?: LogFields): Record<string, unknown> {
  const { lines, log } = logTo(plainJson)
  log.info(message, fields)
  expect(lines).toHaveLength(1)
  return JSON.parse(lines[0] ?? '')
}

describe('filter', () => {
  const passes = (filter: string, target: string): LogLevel[] => {
    const threshold = parseLogFilter(filter).threshold(target)
    return (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).filter((_, order) => order >= threshold)
  }
  test.each([
    ['info', 'streams', 'info'],
    ['INFO', '', 'info'],
    ['info,headwater::streams=debug', 'streams', 'debug'],
    ['info,headwater::streams=debug', 'streams::subscriptions', 'debug'],
    ['info,headwater::streams=debug', 'streamsother', 'info'],
    ['info,streams=trace', 'streams', 'trace'],
    ['streams=trace,streams::subscriptions=warn', 'streams::subscriptions', 'warn'],
    ['streams', 'streams', 'trace'],
    ['headwater=debug', 'auth', 'debug'],
    ['info,info,warn', 'x', 'warn'],
    ['warning', 'x', 'warn'],
    ['streams=debug', 'auth', 'error'],
    ['', 'x', 'error'],
  ])('%j shows %j from %s on', (filter, target, level) => {
    expect(passes(filter, target)[0]).toBe(level as LogLevel)
  })
  test('off shows nothing', () => expect(passes('info,auth=off', 'auth')).toEqual([]))
  test.each(['info,=debug', 'a=b', 'a=debug=info', 'a b', 'x::=debug', '[span]=info'])('%j is refused with what was expected', filter => {
    expect(() => parseLogFilter(filter)).toThrow(OperatorError)
  })
  test('can change while running, also for children that exist; a bad one keeps the old', () => {
    const { lines, log } = logTo(plainJson, 'info')
    const child = log.child('streams')
    child.debug('unseen')
    log.setFilter('info,streams=debug')
    child.debug('seen')
    expect(() => log.setFilter('x=y')).toThrow(OperatorError)
    child.debug('seen too')
    expect(child.enabled('trace')).toBe(false)
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(['seen', 'seen too'])
  })
})

describe('JSON', () => {
  test('one object per line with time, level, target, message, fields', () => {
    const { lines, log } = logTo(plainJson)
    log.child('streams').child('subscriptions').warn('two\nlines', { count: 3, big: 5n, at: new Date(0), bytes: new Uint8Array(4), nothing: undefined })
    expect(lines[0]).toEndWith('}\n')
    expect(lines[0]?.trimEnd()).not.toContain('\n')
    const line = JSON.parse(lines[0] ?? '')
    expect(line).toEqual({
      ts: line.ts, level: 'warn', target: 'headwater::streams::subscriptions', msg: 'two\nlines', count: 3, big: '5', at: '1970-01-01T00:00:00.000Z', bytes: '4 bytes',
    })
    expect(Math.abs(Date.parse(line.ts) - Date.now())).toBeLessThan(5_000)
  })
  test('fields cannot replace the level or the message', () => {
    expect(jsonOf('real', { level: 'fatal', msg: 'forged', ts: 0 })).toMatchObject({ level: 'info', msg: 'real', level_: 'fatal', msg_: 'forged' })
  })
  test('errors come with name, message, code, stack and cause', () => {
    const error = Object.assign(new TypeError('outer', { cause: new Error('inner') }), { code: 'E_X' })
    const { error: written } = jsonOf('failed', { error }) as { error: Record<string, Record<string, string>> }
    expect(written).toMatchObject({ name: 'TypeError', message: 'outer', code: 'E_X', cause: { message: 'inner' } })
    expect(String(written.stack)).toContain('log.test.ts')
  })
  test('cycles, depth, width and length are bounded', () => {
    const cycle: Record<string, unknown> = { list: Array.from({ length: 500 }, (_, i) => i) }
    cycle.self = cycle
    expect(JSON.stringify(jsonOf('x', { cycle })).length).toBeLessThan(10_000)
    expect(String(jsonOf('x'.repeat(1e6)).msg).length).toBeLessThan(logTextCharsMax + 100)
  })
})

describe('secrets', () => {
  test.each(['authorization', 'Authorization', 'token', 'access_token', 'refreshToken', 'password', 'client_secret', 'key', 'api_key', 'cookie', 'Set-Cookie'])(
    'the field %s is hidden, also inside others',
    name => {
      const text = JSON.stringify(jsonOf('x', { [name]: 'hunter2', headers: { [name]: 'hunter2' } }))
      expect(text).not.toContain('hunter2')
      expect(text).toContain('***')
    },
  )
  test.each(['keys', 'monkey', 'tokens_total', 'keyboard'])('the field %s is not', name => {
    expect(jsonOf('x', { [name]: 'seen' })[name]).toBe('seen')
  })
  test.each([
    'Authorization: Bearer hunter2.abc', 'basic aHVudGVyMg==hunter2', 'https://me:hunter2@host/x', '/a?token=hunter2&b=1', 'eyJhbGciOi.hunter2.sig', 'password=hunter2',
  ])('in text: %s', text => {
    expect(JSON.stringify(jsonOf(text, { text, error: new Error(text) }))).not.toContain('hunter2')
  })
})

describe('pretty', () => {
  const pretty = (message: string, fields?: LogFields, colour = false) => {
    const { lines, log } = logTo({ format: 'pretty', colour, journal: false })
    log.child('auth').error(message, fields)
    return lines.join('')
  }
  test('time, level, target, message, fields', () => {
    expect(pretty('it failed', { a: 1, b: 'two words', c: { d: true } })).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ERROR auth it failed a=1 b="two words" c=\{"d":true\}\n$/)
  })
  test('colours only when asked', () => {
    expect(pretty('x')).not.toContain('\x1b')
    expect(pretty('x', {}, true)).toContain('\x1b[31mERROR')
  })
  test('no input forges a line or moves the cursor', () => {
    const text = pretty('a\n12:00 INFO forged\x1b[2J\x9b2J', { 'b\nc': 'd\re' })
    expect(text.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
    expect(text).toContain('\\u000a')
  })
  test('a stack follows, a row each', () => {
    expect(pretty('x', { error: new Error('boom') }).split('\n').length).toBeGreaterThan(2)
  })
})

describe('style', () => {
  const choice = { format: 'auto', fd: 1, isTerminal: true, noColor: undefined, journalStream: undefined } as const
  test('auto: coloured on a terminal, plain with NO_COLOR, JSON elsewhere', () => {
    expect(logStyle(choice)).toEqual({ format: 'pretty', colour: true, journal: false })
    expect(logStyle({ ...choice, noColor: '1' }).colour).toBe(false)
    expect(logStyle({ ...choice, isTerminal: false })).toEqual({ format: 'json', colour: false, journal: false })
    expect(logStyle({ ...choice, isTerminal: false, format: 'pretty' })).toMatchObject({ format: 'pretty', colour: false })
  })
  test('journald prefixes when JOURNAL_STREAM names this very stream', () => {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-log-'))
    const fd = openSync(join(directory, 'out'), 'w')
    const { dev, ino } = fstatSync(fd)
    expect(logStyle({ ...choice, fd, isTerminal: false, journalStream: `${dev}:${ino}` }).journal).toBe(true)
    expect(logStyle({ ...choice, fd, isTerminal: false, journalStream: `${dev}:${ino + 1}` }).journal).toBe(false)
    const log = createLog({ filter: 'info', style: { ...plainJson, journal: true }, clock: systemClock, write: lineWriter(fd) })
    log.warn('first')
    log.info('second')
    closeSync(fd)
    // The descriptor is gone: nothing may throw.
    log.fatal('third')
    const text = readFileSync(join(directory, 'out'), 'utf8')
    rmSync(directory, { recursive: true })
    expect(text).toMatch(/^<4>\{.*"first"\}\n<6>\{.*"second"\}\n$/)
  })
})
