/** Where a webhook may go: checks the URL, resolves its name once, and pins the connection to a checked address. */
import { isIP } from 'node:net'
import type { Clock } from '../../lib/clock.ts'
import { fail, Refusal } from '../../lib/errors.ts'
import type { Resolve } from './host.ts'
import { classifyAddress } from './address.ts'
import { addressesTriedMax, resolveMsMax, urlBytesMax } from './limits.ts'

/** scheme, host, optional port, then path, query or fragment; no userinfo, blank, backslash or non-ASCII character anywhere. */
const urlForm = /^(https?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::\d{1,5})?(?:[/?#][\x21-\x5b\x5d-\x7e]*)?$/
const localNames = /(^|\.)(localhost|local|internal|intranet|home\.arpa|lan|localdomain)$/

export interface PinnedTarget {
  /** The webhook's URL with an address in place of its name. */
  readonly url: string
  /** Value of `Host`. */
  readonly host: string
  /** Name that the certificate must have; null for http, and for an address, which then is what the certificate must have. */
  readonly serverName: string | null
}

export interface ResolveLimits {
  readonly clock: Clock
  readonly signal?: AbortSignal
}

/** Refuses `webhook_url_rejected` for a URL that no webhook may have, without looking at the network. */
export function checkWebhookUrl(text: string, allowInsecure: boolean): URL {
  const form = Buffer.byteLength(text) <= urlBytesMax ? urlForm.exec(text) : null
  if (form === null || !URL.canParse(text)) reject('an absolute https URL without user name, blanks or non-ASCII characters is expected')
  const url = new URL(text)
  const [, scheme = '', written = ''] = form
  const address = addressOf(url)
  // The URL parser turns 2130706433, 0x7f.1 and 0177.0.0.1 into addresses: nobody writes those in good faith.
  if (address !== null && isIP(address) === 4 && written !== address) reject('write the IP address in four decimal parts')
  const loopback = address === null ? url.hostname === 'localhost' : classifyAddress(address) === 'loopback'
  if (loopback && !allowInsecure) reject('it points to this machine (allowed in development only)')
  if (scheme === 'http' && !loopback) reject('https is required')
  if (loopback) return url
  if (address === null && localNames.test(url.hostname)) reject('it names a local host')
  if (address !== null && classifyAddress(address) !== 'public') reject('the address is not a public one')
  return url
}

/**
 * Checks `text` and resolves it. Every address of the name must be allowed, not only the one that is used, and the name is not asked
 * for again: a name that changes its answer (DNS rebinding) gains nothing. Refuses `webhook_url_rejected`; throws when the name
 * cannot be resolved.
 */
export async function pinTargets(text: string, allowInsecure: boolean, resolve: Resolve, limits: ResolveLimits): Promise<PinnedTarget[]> {
  const url = checkWebhookUrl(text, allowInsecure)
  const literal = addressOf(url)
  const addresses = literal === null ? await resolveWithin(resolve, url.hostname, limits) : [literal]
  if (addresses.length === 0) throw new Error(`${url.hostname} has no address`)
  const expected = literal === null ? expectedClass(url) : null
  for (const address of addresses) {
    if (expected !== null && classifyAddress(address) !== expected) reject(`${url.hostname} resolves to ${address}, which is not allowed`)
  }
  // IPv4 first: a host without an IPv6 route is more common than the reverse.
  const ordered = [...new Set(addresses)].toSorted((a, b) => isIP(a) - isIP(b))
  return ordered.slice(0, addressesTriedMax).map(address => pinned(url, address))
}

/** True for the refusal of an address, as opposed to a name that cannot be resolved just now. */
export function isRejection(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'webhook_url_rejected'
}

function expectedClass(url: URL): 'loopback' | 'public' {
  return url.hostname === 'localhost' ? 'loopback' : 'public'
}

function pinned(url: URL, address: string): PinnedTarget {
  const host = isIP(address) === 6 ? `[${address}]` : address
  const port = url.port === '' ? '' : `:${url.port}`
  return {
    url: `${url.protocol}//${host}${port}${url.pathname}${url.search}`,
    host: url.host,
    serverName: url.protocol === 'https:' && addressOf(url) === null ? url.hostname : null,
  }
}

/** The IP address that the URL itself gives, without brackets, or null when it gives a name. */
function addressOf(url: URL): string | null {
  const bare = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  return isIP(bare) === 0 ? null : bare
}

function resolveWithin(resolve: Resolve, hostname: string, limits: ResolveLimits): Promise<readonly string[]> {
  return new Promise((done, failed) => {
    const cancel = limits.clock.after(resolveMsMax, () => failed(new Error(`resolving ${hostname} took longer than ${resolveMsMax} ms`)))
    const abort = () => failed(new Error(`resolving ${hostname} was broken off`))
    limits.signal?.addEventListener('abort', abort, { once: true })
    resolve(hostname).then(done, failed).finally(() => {
      cancel()
      limits.signal?.removeEventListener('abort', abort)
    })
  })
}

function reject(reason: string): never {
  fail('webhook_url_rejected', { detail: `webhook.url: ${reason}` })
}
