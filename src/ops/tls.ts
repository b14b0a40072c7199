/** Certificate files: reading, checking, watching. Serving with them is http/listener.ts. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { TlsSettings } from '../http/listener.ts'
import type { Clock } from '../lib/clock.ts'
import { OperatorError } from '../lib/errors.ts'
import { type Log, silentLog } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'

export interface TlsFiles {
  readonly certPath: string
  readonly keyPath: string
  readonly clientCaPath?: string
  readonly minVersion: '1.2' | '1.3'
}

export interface LoadedTls {
  readonly settings: TlsSettings
  readonly serial: string
  /** Milliseconds since the epoch between which the certificate is valid. */
  readonly startsAtMs: number
  readonly expiresAtMs: number
}

/** How often the files are read again; their content is compared, since a secret mount swaps links and keeps times. */
export const tlsPollMs = 5_000
const warnBeforeExpiryMs = 14 * 24 * 3_600_000

/**
 * Reads and checks the files. Refuses (OperatorError, exit 78) what is missing, no certificate or key, or a key of another
 * certificate. A certificate that is expired or will be soon is taken with a warning: clients decide.
 */
export async function readTls(files: TlsFiles, clock: Clock, log: Log): Promise<LoadedTls> {
  const cert = await readPem('tls.cert_path', files.certPath)
  const key = await readPem('tls.key_path', files.keyPath)
  const clientCa = files.clientCaPath === undefined ? null : await readPem('tls.client_ca_path', files.clientCaPath)
  const certificate = parsed('tls.cert_path', files.certPath, 'a certificate in PEM form', () => new X509Certificate(cert))
  const privateKey = parsed('tls.key_path', files.keyPath, 'an unencrypted private key in PEM form', () => createPrivateKey(key))
  if (clientCa !== null) {
    parsed('tls.client_ca_path', files.clientCaPath ?? '', 'certificates in PEM form', () => new X509Certificate(clientCa))
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new OperatorError(
      `tls: the key in ${files.keyPath} does not belong to the certificate in ${files.certPath}`,
      'Name the key that the certificate was made for; put the server’s own certificate first in the file.',
      78,
    )
  }
  const loaded = {
    settings: { cert, key, minVersion: files.minVersion, ...(clientCa === null ? {} : { clientCa }) },
    serial: certificate.serialNumber,
    startsAtMs: Date.parse(certificate.validFrom),
    expiresAtMs: Date.parse(certificate.validTo),
  }
  warnOfDates(loaded, files.certPath, clock, log)
  return loaded
}

export interface TlsWatchOptions {
  readonly files: TlsFiles
  readonly first: LoadedTls
  readonly replace: (settings: TlsSettings) => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** tlsPollMs unless a test is in a hurry. */
  readonly pollMs?: number
}

export interface TlsWatch {
  /** Reads the files now (SIGHUP). Resolves to true when the certificate was replaced. Never throws. */
  reload(): Promise<boolean>
  stop(): void
}

/** Replaces the certificate when the files change. New files that do not fit are logged once, and the old pair stays. */
export function watchTls(options: TlsWatchOptions): TlsWatch {
  const { files, clock, log, metrics } = options
  let current = options.first
  let refused = ''
  let running: Promise<boolean> | null = null
  const help = 'When the certificate in use ends, seconds since the epoch.'
  metrics.gauge('headwater_tls_certificate_expiry_timestamp_seconds', help, () => current.expiresAtMs / 1_000)
  const attempt = async (asked: boolean): Promise<boolean> => {
    try {
      const next = await readTls(files, clock, asked ? log : silentLog)
      refused = ''
      if (same(next.settings, current.settings)) return false
      if (!asked) warnOfDates(next, files.certPath, clock, log)
      options.replace(next.settings)
      current = next
      log.info('certificate replaced', { serial: next.serial, expires_at: new Date(next.expiresAtMs).toISOString() })
      return true
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (asked || reason !== refused) log.error('the new certificate is not usable; the old one stays', { reason })
      refused = reason
      return false
    }
  }
  const reload = (asked: boolean): Promise<boolean> => {
    // One at a time: a SIGHUP during a poll waits for it and then looks again.
    const after = (running ?? Promise.resolve(false)).then(() => attempt(asked))
    running = after
    return after
  }
  const stop = clock.every(options.pollMs ?? tlsPollMs, () => void reload(false))
  return { reload: () => reload(true), stop }
}

function same(a: TlsSettings, b: TlsSettings): boolean {
  return a.cert === b.cert && a.key === b.key && a.clientCa === b.clientCa
}

async function readPem(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new OperatorError(`${option}: cannot read ${path} (${code})`, 'Check the path and that this user may read the file.', 78)
  }
}

function parsed<T>(option: string, path: string, expected: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw new OperatorError(`${option}: expected ${expected} in ${path}`, 'Check that the file is complete and in PEM form.', 78)
  }
}

function warnOfDates(loaded: LoadedTls, path: string, clock: Clock, log: Log): void {
  const now = clock.now()
  const fields = { path, from: new Date(loaded.startsAtMs).toISOString(), until: new Date(loaded.expiresAtMs).toISOString() }
  if (now >= loaded.expiresAtMs) log.warn('the certificate has expired; clients will refuse it', fields)
  else if (now < loaded.startsAtMs) log.warn('the certificate is not valid yet; clients will refuse it', fields)
  else if (now > loaded.expiresAtMs - warnBeforeExpiryMs) log.warn('the certificate expires soon', fields)
}
