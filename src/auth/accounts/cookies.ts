/** Credentials of browsers: two cookies (trailbase-api.md §9.2). Reading and writing their text only; whether they count is credentials.ts. */

export const accessCookie = 'auth_token'
export const refreshCookie = 'refresh_token'

/** Longest Cookie header that is looked at, in characters. */
const cookieCharsMax = 16 * 1024

/** The value of the cookie `name` in a Cookie header; null when it is missing, empty, or there more than once with different values. */
export function cookieOf(header: string | null, name: string): string | null {
  if (header === null || header.length > cookieCharsMax || !header.includes(name)) return null
  const values = new Set(
    header.split(';').flatMap(part => {
      const at = part.indexOf('=')
      return at > 0 && part.slice(0, at).trim() === name ? [part.slice(at + 1).trim()] : []
    }),
  )
  // Two of them mean that somebody tossed one in from a sibling domain, and nothing tells which (RFC 6265 §8.6).
  const [value] = values
  return values.size !== 1 || value === undefined || value === '' ? null : value
}

/** A Set-Cookie value; scripts cannot read it, and requests from other sites do not carry it. */
export function cookieText(name: string, value: string, maxAgeSecs: number, isSecure: boolean): string {
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSecs}${isSecure ? '; Secure' : ''}`
}

/** Overwrites the cookie with one that is gone at once. */
export function removedCookie(name: string, isSecure: boolean): string {
  return cookieText(name, '', 1, isSecure)
}
