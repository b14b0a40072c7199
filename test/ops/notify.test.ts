/** sd_notify against a real datagram socket, by path and by abstract name. */
import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { createNotify, silentNotify } from '../../src/ops/notify.ts'
import { receiveDatagrams } from '../support/datagrams.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-notify-'))

test.each([join(directory, 'notify.sock'), `@headwater-test-${process.pid}`])('every state reaches %s', async socket => {
  const receiver = receiveDatagrams(socket)
  const notify = await createNotify({ socket, clock: systemClock, log: silentLog })
  notify.status('starting:\nopen')
  notify.ready()
  notify.reloading()
  notify.stopping()
  const messages = await receiver.until(4)
  notify.close()
  receiver.close()
  expect(messages.toSpliced(2, 1)).toEqual(['STATUS=starting: open', 'READY=1', 'STOPPING=1'])
  const usec = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(messages[2] ?? '')?.[1])
  // Not Bun's hrtime, which counts from the start of the process. Time asleep counts for /proc/uptime only.
  const uptimeUsec = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1e6
  expect(usec).toBeGreaterThan(0)
  expect(usec).toBeLessThan(uptimeUsec + 1e6)
})

test('the watchdog is fed at half of its interval, and only when it is ours', async () => {
  const socket = `@headwater-watchdog-${process.pid}`
  const receiver = receiveDatagrams(socket)
  const options = { socket, watchdogUsec: '40000', clock: systemClock, log: silentLog }
  const other = await createNotify({ ...options, watchdogPid: String(process.pid + 1) })
  await Bun.sleep(100)
  expect(await receiver.until(0)).toEqual([])
  other.close()
  const mine = await createNotify({ ...options, watchdogPid: String(process.pid) })
  await Bun.sleep(210)
  mine.close()
  const beats = await receiver.until(3)
  expect(beats.length).toBeGreaterThanOrEqual(5)
  expect(new Set(beats)).toEqual(new Set(['WATCHDOG=1']))
  const closed = beats.length
  await Bun.sleep(100)
  expect(await receiver.until(0)).toHaveLength(closed)
  receiver.close()
})

test('without systemd, with nobody there and with nonsense nothing happens, and the last is told', async () => {
  const lines: string[] = []
  const log: Log = { ...silentLog, warn: message => void lines.push(message) }
  const create = (socket: string | undefined) => createNotify({ socket, clock: systemClock, log })
  expect(await create(undefined)).toBe(silentNotify)
  expect(await create('')).toBe(silentNotify)
  expect(lines).toEqual([])
  const lonely = await create(join(directory, 'nobody'))
  lonely.ready()
  lonely.close()
  expect(await create('relative')).toBe(silentNotify)
  expect(await create(`/${'x'.repeat(200)}`)).toBe(silentNotify)
  expect(lines).toHaveLength(2)
  rmSync(directory, { recursive: true })
})
