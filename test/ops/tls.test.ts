/** Certificate files: what is refused and why, and swaps by change and by request on a real listener. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { listen } from '../../src/http/listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { readTls, type TlsFiles, watchTls } from '../../src/ops/tls.ts'

const fixture = (name: string) => join(import.meta.dir, '../fixtures/tls', name)
const files = (name: string): TlsFiles => ({ certPath: fixture(`${name}.crt`), keyPath: fixture(`${name}.key`), minVersion: '1.2' })
let directory = ''
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'headwater-tls-'))))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = []
  const write = (message: string) => void lines.push(message)
  return { lines, log: { ...silentLog, info: write, warn: write, error: write } }
}

function serialAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

describe('reading', () => {
  const refusal = async (tls: TlsFiles) => {
    const error = await readTls(tls, systemClock, silentLog).then(() => null, (reason: unknown) => reason)
    expect(error).toBeInstanceOf(OperatorError)
    expect((error as OperatorError).exitCode).toBe(78)
    return String(error)
  }
  test('a pair that fits', async () => {
    const { settings, serial, expiresAtMs } = await readTls({ ...files('server1'), clientCaPath: fixture('client-ca.crt') }, systemClock, silentLog)
    expect(settings.cert).toContain('BEGIN CERTIFICATE')
    expect(settings.clientCa).toContain('BEGIN CERTIFICATE')
    expect(Number.parseInt(serial, 16)).toBe(0x1001)
    expect(expiresAtMs).toBeGreaterThan(Date.parse('2100-01-01'))
  })
  test('a missing file, no certificate, no key, no CA, another certificate’s key', async () => {
    writeFileSync(join(directory, 'text'), 'nonsense')
    const text = join(directory, 'text')
    expect(await refusal({ ...files('server1'), certPath: join(directory, 'none') })).toContain('ENOENT')
    expect(await refusal({ ...files('server1'), certPath: text })).toContain('tls.cert_path')
    expect(await refusal({ ...files('server1'), keyPath: text })).toContain('tls.key_path')
    expect(await refusal({ ...files('server1'), clientCaPath: text })).toContain('tls.client_ca_path')
    expect(await refusal({ ...files('server1'), keyPath: fixture('server2.key') })).toContain('does not belong')
  })
  test('an expired certificate is taken with a warning', async () => {
    const { log, lines } = recordingLog()
    await readTls(files('expired'), systemClock, log)
    expect(lines).toEqual(['the certificate has expired; clients will refuse it'])
  })
})

describe('watching', () => {
  async function start() {
    const tls: TlsFiles = { certPath: join(directory, 'tls.crt'), keyPath: join(directory, 'tls.key'), minVersion: '1.2' }
    const put = (certificate: string, key: string) => {
      copyFileSync(fixture(`${certificate}.crt`), tls.certPath)
      copyFileSync(fixture(`${key}.key`), tls.keyPath)
    }
    put('server1', 'server1')
    const first = await readTls(tls, systemClock, silentLog)
    const { log, lines } = recordingLog()
    const metrics = new Metrics()
    const listener = await listen({
      fetch: async () => new Response('x'), hostname: '127.0.0.1', port: 0, http2: true, tls: first.settings, log: silentLog, clock: systemClock,
    })
    const watch = watchTls({ files: tls, first, replace: settings => listener.replaceTls(settings), clock: systemClock, log, metrics, pollMs: 50 })
    const stop = async () => {
      watch.stop()
      await listener.stop(0)
    }
    return { put, lines, metrics, watch, listener, stop }
  }
  const until = async (reached: () => boolean) => {
    for (let i = 0; i < 2000 && !reached(); i++) await Bun.sleep(10)
    expect(reached()).toBe(true)
  }

  test('changed files are served; a pair that does not fit is told once and the old one stays', async () => {
    const { put, lines, listener, metrics, stop } = await start()
    expect(metrics.render()).toMatch(/^headwater_tls_certificate_expiry_timestamp_seconds \d{10}$/m)
    put('server2', 'server1')
    await until(() => lines.length > 0)
    await Bun.sleep(200)
    expect(lines).toEqual(['the new certificate is not usable; the old one stays'])
    expect(await serialAt(listener.port)).toBe('1001')
    put('server2', 'server2')
    await until(() => lines.includes('certificate replaced'))
    await Bun.sleep(50)
    expect(await serialAt(listener.port)).toBe('1002')
    await stop()
  })

  test('a reload reads at once and says whether anything changed', async () => {
    const { put, watch, listener, stop } = await start()
    expect(await watch.reload()).toBe(false)
    put('server2', 'server2')
    await Promise.all([watch.reload(), watch.reload()])
    await Bun.sleep(50)
    expect(await serialAt(listener.port)).toBe('1002')
    await stop()
  })
})
