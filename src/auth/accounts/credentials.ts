/** From the header fields of a request to whoever asks: own tokens, those of other issuers, cookies (trailbase-api.md §7.3, §9.2). Signing in is sign-in.ts. */
import { createAuthenticator, type Authenticate, type BearerVerifier } from '../../http/authenticate.ts'
import { fail, Refusal } from '../../lib/errors.ts'
import { anonymous, type Principal } from '../../lib/principal.ts'
import type { OwnPrincipal, OwnTokens } from '../own-tokens.ts'
import { accessCookie, cookieOf, cookieText, refreshCookie } from './cookies.ts'
import { isAllowedRedirect, isLoopback } from './redirects.ts'
import type { AccountSettings } from './settings.ts'
import type { SignIn } from './sign-in.ts'

/** Tokens of this server and, when `foreign` is given, those of other issuers. */
export function anyIssuer(own: OwnTokens, foreign: BearerVerifier | null): BearerVerifier {
  return {
    peek: token => own.peek(token) ?? foreign?.peek(token) ?? null,
    async verify(token) {
      if (own.isOwn(token) || foreign === null) return own.verify(token)
      return await foreign.verify(token)
    },
  }
}

/** For streams: a token that does not count is refused. `isOpen`: nobody needs to be known, and tokens are not looked at. */
export function streamAuthenticator(verifier: BearerVerifier, isOpen: boolean): Authenticate {
  return createAuthenticator(isOpen ? null : verifier)
}

export interface CredentialParts {
  readonly own: OwnTokens
  readonly verifier: BearerVerifier
  readonly signIn: SignIn
  readonly settings: () => AccountSettings
}

export class Credentials {
  readonly #parts: CredentialParts
  /** By request: the access token that a refresh cookie brought, as the cookie that the answer sets. */
  readonly #fresh = new WeakMap<Request, string>()

  constructor(parts: CredentialParts) {
    this.#parts = parts
  }

  /**
   * For record APIs: a Bearer token that does not count makes its bearer anonymous, and one is looked at before any cookie. Refuses `forbidden` when
   * cookies come with a write that a page of another origin sent, and what verifying a foreign token refuses for no fault of the token.
   */
  readonly authenticate: Authenticate = request => {
    const header = request.headers.get('authorization')
    if (header === null) return request.headers.has('cookie') ? (this.#byCookie(request) ?? anonymous) : anonymous
    const token = bearerToken(header)
    if (token === null) return anonymous
    return this.#parts.verifier.peek(token) ?? this.#verified(token)
  }

  /** The Set-Cookie value that the answer to `request` should carry, after `authenticate`. */
  freshCookie(request: Request): string | null {
    return this.#fresh.get(request) ?? null
  }

  /** The user of this depot who asks, by Bearer token or cookies; null for anybody else. */
  user(request: Request): OwnPrincipal | null {
    const header = request.headers.get('authorization')
    if (header === null) return this.#byCookie(request)
    const token = bearerToken(header)
    return token === null ? null : this.#own(token)
  }

  /** As `user`, for a read that changes nothing, whoever sent it: the cookies alone decide. */
  accessToken(request: Request): { readonly token: string; readonly principal: OwnPrincipal } | null {
    const header = request.headers.get('authorization')
    const token = header === null ? cookieOf(request.headers.get('cookie'), accessCookie) : bearerToken(header)
    const principal = token === null ? null : this.#own(token)
    return token === null || principal === null ? null : { token, principal }
  }

  /** The refresh token that came; beside a Bearer token cookies do not count. */
  refreshToken(request: Request): { readonly token: string; readonly isCookie: boolean } | null {
    const header = request.headers.get('refresh-token')
    if (header !== null && header !== '') return { token: header, isCookie: false }
    if (request.headers.has('authorization')) return null
    const token = cookieOf(request.headers.get('cookie'), refreshCookie)
    return token === null ? null : { token, isCookie: true }
  }

  #byCookie(request: Request): OwnPrincipal | null {
    const principal = this.#cookiePrincipal(request)
    if (principal !== null && !isSafe(request) && !isSameOrigin(request, this.#parts.settings())) {
      fail('forbidden', { detail: 'cookies of another origin’s page' })
    }
    return principal
  }

  #cookiePrincipal(request: Request): OwnPrincipal | null {
    const header = request.headers.get('cookie')
    const access = cookieOf(header, accessCookie)
    const known = access === null ? null : this.#own(access)
    if (known !== null) return known
    const refresh = cookieOf(header, refreshCookie)
    const user = refresh === null ? null : this.#parts.signIn.sessionUser(refresh)
    if (user === null) return null
    const { auth_token } = this.#parts.signIn.accessTokens(user)
    const settings = this.#parts.settings()
    this.#fresh.set(request, cookieText(accessCookie, auth_token, settings.auth.authTokenTtlSec, isSecureSite(settings)))
    return this.#parts.own.verify(auth_token)
  }

  #own(token: string): OwnPrincipal | null {
    try {
      return this.#parts.own.verify(token)
    } catch (error) {
      if (isBadToken(error)) return null
      throw error
    }
  }

  async #verified(token: string): Promise<Principal> {
    try {
      return await this.#parts.verifier.verify(token)
    } catch (error) {
      if (isBadToken(error)) return anonymous
      throw error
    }
  }
}

/** Cookies are for HTTPS only where the site is. */
export function isSecureSite({ siteUrl, isDev }: AccountSettings): boolean {
  return !isDev && siteUrl?.startsWith('https:') === true
}

/**
 * Whether no page of another origin sent this request with the browser's cookies; programs that are no browsers say nothing. While developing, pages
 * that this machine serves on another port are no strangers.
 */
export function isSameOrigin(request: Request, { siteUrl, isDev }: AccountSettings): boolean {
  const origin = request.headers.get('origin')
  if (isDev && origin !== null && isLoopback(URL.parse(origin)?.hostname ?? '')) return true
  const site = request.headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin' || site === 'none'
  if (origin === null) return true
  // The scheme is compared only with the configured address: behind a proxy we do not know ours.
  if (siteUrl !== null && URL.parse(siteUrl)?.origin === origin) return true
  return URL.parse(origin)?.host === URL.parse(request.url)?.host
}

/** Whether a form may sign the browser in that sends it: one of this origin, or of an application that people are sent back to anyway. */
export function maySetCookies(request: Request, settings: AccountSettings): boolean {
  const { auth, siteUrl, isDev } = settings
  const origin = request.headers.get('origin')
  if (isSameOrigin(request, settings)) return true
  if (origin === null || !/^https?:\/\//.test(origin)) return false
  return isAllowedRedirect(`${origin}/`, { ...auth, siteUrl, isDev }) || auth.redirectUriAllowlist.some(uri => URL.parse(uri)?.origin === origin)
}

function isBadToken(error: unknown): boolean {
  return error instanceof Refusal && (error.code === 'token_invalid' || error.code === 'token_expired')
}

/** A handshake of WebSocket is a GET, and no rule of origins binds its answer. */
function isSafe(request: Request): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && !request.headers.has('upgrade')
}

function bearerToken(header: string): string | null {
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1] ?? null
}
