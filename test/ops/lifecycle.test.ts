/** Start, reload and stop of a real process: order, readiness, live readers, bounds, exit codes, systemd. */
import { afterEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { Health } from '../../src/ops/health.ts'
import { Lifecycle } from '../../src/ops/lifecycle.ts'
import { silentNotify } from '../../src/ops/notify.ts'
import { receiveDatagrams } from '../support/datagrams.ts'

const script = join(import.meta.dir, '../support/lifecycle-process.ts')
const children: Bun.Subprocess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

async function start(notifySocket = '') {
  const child = Bun.spawn([process.execPath, script, notifySocket], { stdout: 'pipe', stderr: 'pipe' })
  children.push(child)
  let output = ''
  let errors = ''
  const collect = async (stream: ReadableStream<Uint8Array>, add: (text: string) => void) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }))
  }
  const reading = Promise.all([collect(child.stdout, text => (output += text)), collect(child.stderr, text => (errors += text))])
  const lines = () => output.split('\n').filter(line => line !== '')
  const until = async (reached: () => boolean) => {
    for (let i = 0; i < 2000 && !reached(); i++) await Bun.sleep(10)
    expect(reached()).toBe(true)
  }
  await until(() => lines().length > 0)
  const url = `http://127.0.0.1:${lines()[0]}`
  const ended = async () => {
    const code = await child.exited
    await reading
    return { code, lines: lines().slice(1), errors }
  }
  return { child, url, until, lines, ended, errors: () => errors }
}

const status = (url: string) => fetch(url, { keepalive: false }).then(answer => answer.status, () => 0)

test('SIGTERM: not ready first, then the listener, readers told, loops, stores last opened first; exit 0', async () => {
  const { child, url, until, lines, ended } = await start()
  expect(await status(`${url}/readyz`)).toBe(200)
  const live = fetch(`${url}/live`).then(answer => answer.text())
  await Bun.sleep(50)
  child.kill('SIGTERM')
  await Bun.sleep(60)
  expect(await status(`${url}/readyz`)).toBe(503)
  expect(await status(`${url}/other`)).toBe(200)
  await until(() => lines().includes('listener closing'))
  expect(await live).toBe('come back')
  const end = await ended()
  expect(end.code).toBe(0)
  expect(end.lines).toEqual(['listener closing', 'listener closed', 'loop ended', 'closed second', 'closed first'])
  expect(await status(url)).toBe(0)
})

test('an answer that never ends is cut at the bound', async () => {
  const { child, url, ended } = await start()
  const stuck = status(`${url}/stuck`)
  await Bun.sleep(50)
  const startedAt = performance.now()
  child.kill('SIGINT')
  expect((await ended()).code).toBe(0)
  expect(performance.now() - startedAt).toBeLessThan(20_000)
  expect(await stuck).toBe(0)
})

test('a second signal ends at once', async () => {
  const { child, url, ended } = await start()
  void status(`${url}/stuck`)
  await Bun.sleep(50)
  child.kill('SIGTERM')
  await Bun.sleep(50)
  child.kill('SIGTERM')
  const end = await ended()
  expect(end.code).toBe(143)
  expect(end.lines).not.toContain('closed first')
})

test('SIGHUP reloads what it can and tells what it cannot; the server goes on', async () => {
  const { child, url, until, lines, errors } = await start()
  child.kill('SIGHUP')
  await until(() => lines().includes('reloaded'))
  expect(errors()).toContain('bad configuration')
  expect(await status(`${url}/readyz`)).toBe(200)
})

describe('faults', () => {
  test('one that cannot be survived: stopped in order, exit 1', async () => {
    const { url, ended } = await start()
    expect(await status(`${url}/fail`)).toBe(200)
    const end = await ended()
    expect(end.code).toBe(1)
    expect(end.lines.at(-1)).toBe('closed first')
    expect(end.errors).toContain('the writer died')
  })
  test('an uncaught error ends at once, exit 1, in the log', async () => {
    const { url, ended } = await start()
    await status(`${url}/throw`)
    const end = await ended()
    expect(end.code).toBe(1)
    expect(end.errors).toContain('"level":"fatal"')
    expect(end.lines).toEqual([])
  })
  test('a promise that nobody awaited is told and survived', async () => {
    const { url, until, errors } = await start()
    await status(`${url}/reject`)
    await until(() => errors().includes('unawaited'))
    expect(await status(`${url}/readyz`)).toBe(200)
  })
})

test('systemd hears of every turn', async () => {
  const socket = `@headwater-lifecycle-${process.pid}`
  const receiver = receiveDatagrams(socket)
  const { child, url, until, lines, ended } = await start(socket)
  child.kill('SIGHUP')
  await until(() => lines().includes('reloaded'))
  child.kill('SIGTERM')
  await ended()
  const messages = await receiver.until(6)
  receiver.close()
  expect(messages.map(message => message.split('\n')[0])).toEqual([
    'STATUS=starting: listen', 'READY=1', `STATUS=listening on ${url}`, 'RELOADING=1', 'READY=1', 'STOPPING=1',
  ])
})

describe('background loops', () => {
  const lifecycleWith = (log: Log) => {
    const health = new Health()
    health.started()
    const lifecycle = new Lifecycle({ health, notify: silentNotify, clock: systemClock, log, readinessDelayMs: 0, drainMs: 100, exit() {} })
    return { health, lifecycle }
  }
  test.each([['throws', async () => { throw new Error('boom') }], ['just ends', async () => {}]] as const)('one that %s makes the server not ready', async (_how, loop) => {
    const lines: string[] = []
    const { health, lifecycle } = lifecycleWith({ ...silentLog, error: message => void lines.push(message) })
    lifecycle.loop('sweeper', loop)
    expect(health.report().ready).toBe(true)
    await Bun.sleep(5)
    expect(health.report().checks.find(check => !check.ok)).toEqual({ name: 'loop sweeper', ok: false, detail: 'the loop ended' })
    expect(lines).toEqual(['a background loop ended; the server is not ready any more'])
    expect(await lifecycle.stop('test')).toBe(0)
  })
  test('a store that fails to close is an exit code', async () => {
    const { lifecycle } = lifecycleWith(silentLog)
    lifecycle.onStop('stores', 'store', async () => { throw new Error('no') })
    expect(await Promise.all([lifecycle.stop('a'), lifecycle.stop('b')])).toEqual([1, 1])
  })
})
