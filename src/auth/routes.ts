/** HTTP surface of the accounts below `/api/auth/v1`, and the public key (trailbase-api.md §9): parses, calls, formats; decides nothing. */
import { Elysia } from 'elysia'
import { asRefusal } from '../http/errors.ts'
import { fail } from '../lib/errors.ts'
import { jsonAnswer, redirectAnswer, refusalAnswer, statusWords, textAnswer, type CommonFields } from './accounts/answers.ts'
import { accessCookie, cookieOf, cookieText, refreshCookie, removedCookie } from './accounts/cookies.ts'
import { isSameOrigin, isSecureSite, maySetCookies, type Credentials } from './accounts/credentials.ts'
import { readFields, readJsonTexts, type Fields } from './accounts/fields.ts'
import { withParameters } from './accounts/redirects.ts'
import type { AccountSettings } from './accounts/settings.ts'
import { sessionSecs, type SignIn, type TokenSet } from './accounts/sign-in.ts'
import type { User, UserName } from './accounts/user-store.ts'
import type { PublicJwk } from './key-files.ts'

export interface AccountRoutesParts {
  readonly signIn: SignIn
  readonly credentials: Credentials
  readonly settings: () => AccountSettings
  /** Refuses `invalid_redirect`. */
  readonly checkRedirect: (uri: string) => string
  readonly jwks: () => { readonly keys: readonly PublicJwk[] }
  /** Called for each POST before its body is read; refuses `too_many_requests`. */
  readonly admit: (request: Request) => void
  /** CORS and security headers of an answer. */
  readonly common: (request: Request) => CommonFields
}

const keysMaxAgeSecs = 300

/** Routes that only some configurations have are 404 in others. */
export function accountRoutes(parts: AccountRoutesParts) {
  const get = (request: Request, run: () => Response | Promise<Response>) => answered(parts, request, run)
  const post = (request: Request, run: () => Response | Promise<Response>) => {
    return answered(parts, request, () => (parts.admit(request), run()))
  }
  return new Elysia({ name: 'accounts' })
    .get('/.well-known/jwks.json', async ({ request }) => publicKeys(parts, request))
    .post('/api/auth/v1/login', async ({ request }) => post(request, () => login(parts, request)), { parse: 'none' })
    .post('/api/auth/v1/login_mfa', async ({ request }) => post(request, () => loginSecond(parts, request)), { parse: 'none' })
    .post('/api/auth/v1/token', async ({ request }) => post(request, () => exchange(parts, request)), { parse: 'none' })
    .post('/api/auth/v1/refresh', async ({ request }) => post(request, () => refresh(parts, request)), { parse: 'none' })
    .get('/api/auth/v1/status', async ({ request }) => get(request, () => status(parts, request)))
    .get('/api/auth/v1/logout', async ({ request }) => get(request, () => logoutEverywhere(parts, request)))
    .post('/api/auth/v1/logout', async ({ request }) => post(request, () => logout(parts, request)), { parse: 'none' })
    .post('/api/auth/v1/login_anonymous', async ({ request }) => post(request, () => loginAnonymously(parts, request)), { parse: 'none' })
    .post('/api/auth/v1/promote_anonymous', async ({ request }) => post(request, () => promote(parts, request)), { parse: 'none' })
}

async function answered({ common }: AccountRoutesParts, request: Request, run: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await run()
  } catch (error) {
    return refusalAnswer(error, common(request))
  }
}

/** What becomes of a login that goes well, as the request asked. */
interface Wish {
  readonly redirect: string | null
  readonly secondStepRedirect: string | null
  /** PKCE challenge, when a code is wanted instead of tokens. */
  readonly challenge: string | null
}

/** Refuses `invalid_redirect`, and `bad_request` for a challenge without a code or a code without challenge or target. */
function wishOf({ checkRedirect }: AccountRoutesParts, fields: Fields): Wish {
  const [redirect, secondStepRedirect] = ['redirect_uri', 'mfa_redirect_uri'].map(name => fields.parameter(name))
  const wish = {
    redirect: redirect == null ? null : checkRedirect(redirect),
    secondStepRedirect: secondStepRedirect == null ? null : checkRedirect(secondStepRedirect),
    challenge: fields.parameter('pkce_code_challenge'),
  }
  const type = fields.parameter('response_type') ?? 'token'
  if (type !== 'token' && type !== 'code') fail('bad_request', { detail: 'response_type is token or code' })
  if (type === 'token' && wish.challenge !== null) fail('bad_request', { detail: 'pkce_code_challenge needs response_type=code' })
  if (type === 'code' && wish.redirect === null) fail('bad_request', { detail: 'response_type=code needs redirect_uri' })
  if (type === 'code' && !/^[A-Za-z0-9_-]{43}$/.test(wish.challenge ?? '')) fail('bad_request', { detail: 'response_type=code needs pkce_code_challenge' })
  return wish
}

async function login(parts: AccountRoutesParts, request: Request): Promise<Response> {
  const fields = await readFields(request)
  const wish = wishOf(parts, fields)
  const name = userNameOf(fields)
  const password = fields.text('password')
  if (password === null) fail('bad_request', { detail: 'Missing password' })
  return await forPeople(parts, request, fields, wish, async () => {
    const result = await parts.signIn.login(name, password)
    if (result.kind === 'user') return await signedIn(parts, request, fields.isForm, wish, result.user)
    const body = { mfa_token: result.mfaToken }
    if (!fields.isForm) return jsonAnswer(body, parts.common(request), { status: 403 })
    if (wish.secondStepRedirect === null) return fail('bad_request', { detail: 'Missing mfa_redirect_uri' })
    return redirectAnswer(withParameters(wish.secondStepRedirect, body), parts.common(request))
  })
}

async function loginSecond(parts: AccountRoutesParts, request: Request): Promise<Response> {
  const fields = await readFields(request)
  const wish = wishOf(parts, fields)
  const [mfaToken, code] = [fields.parameter('mfa_token'), fields.text('totp')]
  if (mfaToken === null || code === null) fail('bad_request', { detail: 'Missing mfa_token or totp' })
  return await forPeople(parts, request, fields, wish, async () => signedIn(parts, request, fields.isForm, wish, parts.signIn.loginSecond(mfaToken, code)))
}

async function loginAnonymously(parts: AccountRoutesParts, request: Request): Promise<Response> {
  if (!parts.settings().auth.enableAnonymousSignin) return fail('not_found', {})
  const fields = await readFields(request)
  const wish = wishOf(parts, fields)
  return await signedIn(parts, request, fields.isForm, wish, await parts.signIn.signInAnonymously())
}

async function promote(parts: AccountRoutesParts, request: Request): Promise<Response> {
  if (!parts.settings().auth.enableAnonymousSignin) return fail('not_found', {})
  const fields = await readFields(request)
  const redirect = wishOf(parts, fields).redirect
  const userId = parts.credentials.user(request)?.account?.id ?? fail('unauthorized', {})
  const password = fields.text('new_password') ?? fail('bad_request', { detail: 'Missing new_password' })
  const repeated = fields.text('new_password_repeat')
  if (fields.isForm && repeated === null) fail('bad_request', { detail: 'Passwords don\'t match' })
  await parts.signIn.promote(userId, { password, repeated, username: fields.text('new_username'), email: fields.text('new_email') })
  return redirect === null ? textAnswer('promoted', parts.common(request)) : redirectAnswer(redirect, parts.common(request))
}

async function exchange(parts: AccountRoutesParts, request: Request): Promise<Response> {
  const { authorization_code, pkce_code_verifier } = await readJsonTexts(request, ['authorization_code', 'pkce_code_verifier'])
  return jsonAnswer(await parts.signIn.exchange(authorization_code, pkce_code_verifier), parts.common(request))
}

async function refresh(parts: AccountRoutesParts, request: Request): Promise<Response> {
  const { refresh_token } = await readJsonTexts(request, ['refresh_token'])
  return jsonAnswer(parts.signIn.refresh(refresh_token), parts.common(request))
}

/** What the caller holds, brought up to date: browsers take their tokens out of cookies by it. */
function status(parts: AccountRoutesParts, request: Request): Response {
  const { credentials, signIn, settings } = parts
  const session = credentials.refreshToken(request)
  if (session !== null) {
    const tokens = signIn.refresh(session.token)
    const cookies = session.isCookie ? [cookieText(accessCookie, tokens.auth_token, settings().auth.authTokenTtlSec, isSecureSite(settings()))] : []
    return jsonAnswer({ auth_token: tokens.auth_token, refresh_token: session.token, csrf_token: tokens.csrf_token }, parts.common(request), { cookies })
  }
  const access = credentials.accessToken(request)
  return jsonAnswer({ auth_token: access?.token ?? null, refresh_token: null, csrf_token: access?.principal.claims.csrf_token ?? null }, parts.common(request))
}

/** Every session of the caller ends. A page of another origin cannot have it done: browsers keep the cookies from it. */
async function logoutEverywhere(parts: AccountRoutesParts, request: Request): Promise<Response> {
  const { credentials, signIn, settings } = parts
  const target = new URL(request.url).searchParams.get('redirect_uri')
  const redirect = target === null ? null : parts.checkRedirect(target)
  if (request.headers.has('cookie') && !isSameOrigin(request, settings())) fail('forbidden', { detail: 'cookies of another origin’s page' })
  const session = credentials.refreshToken(request)
  const userId = credentials.accessToken(request)?.principal.account?.id ?? (session === null ? undefined : signIn.sessionUser(session.token)?.id)
  if (userId !== undefined) await signIn.endAll(userId)
  const header = request.headers.get('cookie')
  const cookies = [accessCookie, refreshCookie].filter(name => cookieOf(header, name) !== null).map(name => removedCookie(name, isSecureSite(settings())))
  return onward(parts, request, redirect, 'logged out', cookies)
}

async function logout(parts: AccountRoutesParts, request: Request): Promise<Response> {
  const { refresh_token } = await readJsonTexts(request, ['refresh_token'])
  await parts.signIn.endSession(refresh_token)
  return textAnswer('', parts.common(request))
}

function publicKeys({ jwks, common }: AccountRoutesParts, request: Request): Response {
  return Response.json(jwks(), { headers: { ...common(request), 'Cache-Control': `public, max-age=${keysMaxAgeSecs}` } })
}

function userNameOf(fields: Fields): UserName {
  const kinds = { email_or_username: 'any', email: 'email', username: 'username' } as const
  for (const [field, kind] of Object.entries(kinds)) {
    const text = fields.text(field)?.trim()
    if (text) return { kind, text }
  }
  return fail('bad_request', { detail: 'Missing email or username' })
}

/** Tokens or a code; a form's sender gets cookies and is sent on. */
async function signedIn(parts: AccountRoutesParts, request: Request, isForm: boolean, wish: Wish, user: User): Promise<Response> {
  if (wish.challenge !== null && wish.redirect !== null) {
    const code = await parts.signIn.grantCode(user, wish.challenge)
    return redirectAnswer(withParameters(wish.redirect, { code }), parts.common(request))
  }
  // Cookies from a page that may not set them would sign people in as somebody else without their knowing.
  if (isForm && !maySetCookies(request, parts.settings())) fail('forbidden', { detail: 'a form of another origin' })
  const tokens = await parts.signIn.grantTokens(user)
  if (!isForm) return jsonAnswer(tokens, parts.common(request))
  return onward(parts, request, wish.redirect, 'logged in', cookiesOf(tokens, user, parts.settings()))
}

/** A form's sender is told what went wrong on the page that it named; everybody else gets the refusal. */
async function forPeople(parts: AccountRoutesParts, request: Request, fields: Fields, { redirect }: Wish, run: () => Promise<Response>): Promise<Response> {
  try {
    return await run()
  } catch (error) {
    const refusal = asRefusal(error)
    if (refusal === null || !fields.isForm || redirect === null || !fields.inBody('redirect_uri') || refusal.status === 400) throw error
    return redirectAnswer(withParameters(redirect, { alert: `Login Failed: ${statusWords(refusal)}` }), parts.common(request))
  }
}

function onward({ settings, common }: AccountRoutesParts, request: Request, redirect: string | null, text: string, cookies: readonly string[]): Response {
  const target = redirect ?? (settings().hasPages ? '/' : null)
  return target === null ? textAnswer(text, common(request), { cookies }) : redirectAnswer(target, common(request), { cookies })
}

function cookiesOf(tokens: TokenSet, user: User, settings: AccountSettings): readonly string[] {
  const isSecure = isSecureSite(settings)
  return [
    cookieText(accessCookie, tokens.auth_token, settings.auth.authTokenTtlSec, isSecure),
    cookieText(refreshCookie, tokens.refresh_token, sessionSecs(user, settings), isSecure),
  ]
}
