/** Where a browser may be sent on to (trailbase-api.md §9.3), and addresses with parameters added. Sending it there is routes.ts. */
import { fail } from '../../lib/errors.ts'

export interface RedirectPolicy {
  /** Canonical URL of the application; null when none is configured. */
  readonly siteUrl: string | null
  /** Schemes of applications, without a colon. */
  readonly customUriSchemes: readonly string[]
  /** Whole addresses. */
  readonly redirectUriAllowlist: readonly string[]
  /** Addresses of this machine are fine while developing. */
  readonly isDev: boolean
}

/** Longest address that anybody is sent to. */
const redirectCharsMax = 4096
const webSchemes = new Set(['http:', 'https:', 'javascript:', 'data:', 'vbscript:', 'file:', 'blob:', 'about:', 'view-source:'])

/** `uri`, when a browser may be sent there. Refuses `invalid_redirect`. */
export function checkRedirect(uri: string, policy: RedirectPolicy): string {
  if (isAllowedRedirect(uri, policy)) return uri
  return fail('invalid_redirect', { detail: 'invalid redirect' })
}

/** `uri` with parameters added to its query, before its fragment. */
export function withParameters(uri: string, parameters: Readonly<Record<string, string>>): string {
  const hashAt = uri.indexOf('#')
  const base = hashAt < 0 ? uri : uri.slice(0, hashAt)
  const added = new URLSearchParams(parameters).toString()
  const glue = !base.includes('?') ? '?' : /[?&]$/.test(base) ? '' : '&'
  return `${base}${glue}${added}${hashAt < 0 ? '' : uri.slice(hashAt)}`
}

export function isAllowedRedirect(uri: string, policy: RedirectPolicy): boolean {
  // Browsers drop tabs and line breaks inside addresses, and some read a backslash as a slash: neither belongs here.
  if (uri.length > redirectCharsMax || /[\u0000-\u0020\u007f\\]/.test(uri)) return false
  if (uri.startsWith('/')) return !uri.startsWith('//')
  if (policy.redirectUriAllowlist.includes(uri)) return true
  const url = URL.parse(uri)
  if (url === null || url.username !== '' || url.password !== '') return false
  if (!webSchemes.has(url.protocol)) return policy.customUriSchemes.some(scheme => `${scheme.toLowerCase()}:` === url.protocol)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
  const site = policy.siteUrl === null ? null : URL.parse(policy.siteUrl)
  // The port is not compared: applications run beside the server on the same host.
  if (site !== null && url.protocol === site.protocol && url.hostname === site.hostname) return true
  return policy.isDev && isLoopback(url.hostname)
}

/** Whether a URL's host is this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
