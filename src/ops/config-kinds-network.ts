/** Kinds of option values that name places: addresses, URLs, networks, files; and the few with a grammar of their own. */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { Type } from 'typebox'
import { refineText, text, type Kind } from './config-kinds.ts'
import { numberTree, textTree } from './config-tree.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** HOST:PORT, or one of the two alone, which leaves the other as the lower layer set it. */
export const address: Kind<Address> = {
  name: 'address',
  expected: 'HOST:PORT, HOST or :PORT, with a port from 0 to 65535',
  schema: refineText(value => splitAddress(value) !== null),
  words: 'none',
  fromText: value => value,
  read(raw, context) {
    const previous = isAddress(context.previous) ? context.previous : { host: '127.0.0.1', port: 4437 }
    const part = splitAddress(String(raw))
    return { host: part?.host ?? previous.host, port: part?.port ?? previous.port }
  },
  toTree: value => textTree(formatAddress(value)),
}

export function formatAddress(value: Address): string {
  return `${value.host.includes(':') ? `[${value.host}]` : value.host}:${value.port}`
}

/** A file or directory; read as an absolute path. */
export const path: Kind<string> = {
  ...text('a path', value => value !== '' && !value.includes('\0')),
  name: 'path',
  read: (raw, context) => resolve(context.baseDir, String(raw)),
}

/** An absolute http(s) URL without query, fragment or credentials; read without a slash at its end. */
export const baseUrl: Kind<string> = {
  ...text('an absolute http:// or https:// URL without query or credentials', value => plainUrl(value) !== null),
  name: 'url',
  read: raw => String(raw).replace(/\/+$/, ''),
}

/** A URL for secrets or keys: https, or http to this machine only. */
export const secureUrl: Kind<string> = {
  ...text('an https:// URL (http:// only to localhost)', value => isSecureUrl(value)),
  name: 'url',
}

/** `*`, or scheme://host[:port] as browsers send it in Origin. */
export const origin: Kind<string> = {
  ...text('* or an origin such as https://app.example.org', value => value === '*' || isOrigin(value)),
  name: 'origin',
  read: raw => (raw === '*' ? '*' : new URL(String(raw)).origin),
}

/** An IP network such as 10.0.0.0/8, or one address. */
export const network: Kind<string> = {
  ...text('an IP address or network such as 10.0.0.0/8', isNetwork),
  name: 'network',
}

/** The path below which streams live: /v1/stream. */
export const basePath: Kind<string> = {
  ...text('a path such as /v1/stream, of letters, digits, "-", "_", "." and "~", without "/" at its end', value =>
    /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+){1,8}$/.test(value),
  ),
}

/** `auto`, or a power of two up to `most`. */
export function shardCount(most: number): Kind<number | 'auto'> {
  const fits = (raw: unknown) =>
    raw === 'auto' || (typeof raw === 'number' && Number.isInteger(raw) && raw >= 1 && raw <= most && (raw & (raw - 1)) === 0)
  return {
    name: 'integer',
    expected: `auto, or a power of two from 1 to ${most}`,
    schema: Type.Refine(Type.Unknown(), fits),
    words: 'names',
    fromText: value => (/^[0-9]{1,9}$/.test(value) ? Number(value) : value),
    read: raw => (raw === 'auto' ? 'auto' : Number(raw)),
    toTree: value => (value === 'auto' ? textTree(value) : numberTree(value)),
  }
}

/** Levels and targets as in RUST_LOG: info,headwater::streams=debug. */
export const logFilter: Kind<string> = {
  ...text('a level (off, error, warn, info, debug, trace) and target=level pairs, separated by commas', value =>
    value.split(',').every(part => /^\s*(?:[A-Za-z0-9_:.-]+(?:=(?:off|error|warn|info|debug|trace))?)?\s*$/i.test(part)),
  ),
  name: 'log filter',
}

function isAddress(value: unknown): value is Address {
  return typeof value === 'object' && value !== null && 'host' in value && 'port' in value
}

function splitAddress(value: string): { readonly host?: string; readonly port?: number } | null {
  if (isIP(value) === 6) return { host: value }
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+))?(?::([0-9]{1,5}))?$/.exec(value) ?? []
  const host = bracketed ?? plain
  if (host === undefined && digits === undefined) return null
  if (bracketed !== undefined && isIP(bracketed) !== 6) return null
  // A bare number is more likely a port whose colon is missing than a host.
  if (plain !== undefined && /^[0-9]+$/.test(plain)) return null
  if (Number(digits ?? 0) > 65535) return null
  return { ...(host === undefined ? {} : { host }), ...(digits === undefined ? {} : { port: Number(digits) }) }
}

function plainUrl(value: string): URL | null {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url === null || !/^https?:$/.test(url.protocol) || /[\s?#]/.test(value)) return null
  return url.username === '' && url.password === '' ? url : null
}

function isSecureUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname))
}

function isOrigin(value: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#@\s*]+\/?$/.test(value) && URL.canParse(value) && new URL(value).origin !== 'null'
}

function isNetwork(value: string): boolean {
  const [host = '', bits, ...rest] = value.split('/')
  const version = isIP(host)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
