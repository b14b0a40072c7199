/** Signing in, step by step, and what one gets for it: tokens, sessions, codes (trailbase-api.md §9.5, §9.9). Knows no requests; cookies are routes.ts. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { fail } from '../../lib/errors.ts'
import type { Ids } from '../../lib/ids.ts'
import { RecentMap } from '../../lib/recent-map.ts'
import { subjectOf, userIdOfSubject, type AccessClaims, type OwnTokens } from '../own-tokens.ts'
import { AccountTurns } from './account-turns.ts'
import { AttemptLimit } from './attempt-limit.ts'
import { checkPassword, checkUsername } from './password-policy.ts'
import { Passwords } from './passwords.ts'
import { randomAlphanumerics, randomLowercase } from './random-text.ts'
import { SessionStore } from './session-store.ts'
import type { AccountSettings } from './settings.ts'
import { matchingStep } from './totp.ts'
import type { User, UserName, UserStore } from './user-store.ts'

/** Wrong passwords of one account, and wrong codes behind a right password: of a million codes three are right at any time. */
export const passwordAttempts = { failuresMax: 3, windowMs: 60_000 } as const
export const codeAttempts = { failuresMax: 5, windowMs: 600_000 } as const
/** Users whose last code is remembered, so that it counts once. */
const lastCodesMax = 65_536
const pendingSecs = 120
const authorizationCodeSecs = 300
const namesTriedMax = 5
const lengths = { refreshToken: 86, authorizationCode: 48, csrfToken: 20, anonymousName: 6 } as const
const verifierForm = /^[A-Za-z0-9._~-]{43,128}$/ // RFC 7636 §4.1

export interface AccessTokens {
  readonly auth_token: string
  readonly csrf_token: string
}

export interface TokenSet extends AccessTokens {
  readonly refresh_token: string
}

export type LoginResult = { readonly kind: 'user'; readonly user: User } | { readonly kind: 'secondStep'; readonly mfaToken: string }

export interface Promotion {
  readonly password: string
  readonly repeated: string | null
  readonly username: string | null
  readonly email: string | null
}

export interface SignInParts {
  readonly users: UserStore
  readonly sessions: SessionStore
  readonly tokens: OwnTokens
  readonly passwords: Passwords
  readonly settings: () => AccountSettings
  readonly clock: Clock
  readonly ids: Ids
}

export class SignIn {
  readonly #parts: SignInParts
  readonly #passwordAttempts: AttemptLimit
  readonly #codeAttempts: AttemptLimit
  readonly #turns = new AccountTurns()
  /** By user: the last step whose code was taken. */
  readonly #lastSteps = new RecentMap<string, number>(lastCodesMax)

  constructor(parts: SignInParts) {
    this.#parts = parts
    this.#passwordAttempts = new AttemptLimit(passwordAttempts, parts.clock)
    this.#codeAttempts = new AttemptLimit(codeAttempts, parts.clock)
  }

  /** Refuses `unauthorized` alike for a wrong password, nobody and an unconfirmed address; `too_many_requests`, `overloaded`. */
  async login(name: UserName, password: string): Promise<LoginResult> {
    const { users, passwords, tokens } = this.#parts
    const user = users.byName(name)
    const account = user === null ? keyOfNobody(name.text) : keyOf(user.id)
    const isRight = await this.#turns.run(account, () => this.#attempt(account, () => passwords.verify(password, user?.passwordHash ?? null)))
    if (!isRight || user === null) return fail('unauthorized', {})
    if (user.unverifiedEmail !== null) return fail('unauthorized', {})
    if (user.totpSecret === null) return { kind: 'user', user }
    return { kind: 'secondStep', mfaToken: tokens.mintPending(subjectOf(user.id), pendingSecs) }
  }

  /** The second step. Refuses `unauthorized`, `account_unsuitable` (there is no second step), `too_many_requests`. */
  loginSecond(mfaToken: string, code: string): User {
    const claims = this.#parts.tokens.verifyPending(mfaToken)
    const user = claims === null ? null : this.#userOf(claims.sub)
    if (user === null || user.unverifiedEmail !== null) return fail('unauthorized', {})
    if (user.totpSecret === null) return fail('account_unsuitable', {})
    this.#spendCode(user, user.totpSecret, code)
    return user
  }

  async grantTokens(user: User): Promise<TokenSet> {
    const { sessions, settings, ids } = this.#parts
    const refreshToken = randomAlphanumerics(ids, lengths.refreshToken)
    await sessions.insert(user.id, refreshToken, this.#nowSecs(), this.#nowSecs() + sessionSecs(user, settings()))
    const { auth_token, csrf_token } = this.accessTokens(user)
    return { auth_token, refresh_token: refreshToken, csrf_token }
  }

  /** A code that the holder of the challenge's verifier exchanges for tokens, once and soon. */
  async grantCode(user: User, challenge: string): Promise<string> {
    const code = randomAlphanumerics(this.#parts.ids, lengths.authorizationCode)
    await this.#parts.sessions.insertCode(user.id, code, challenge, this.#nowSecs(), this.#nowSecs() + authorizationCodeSecs)
    return code
  }

  /** Refuses `bad_request` for what cannot be a code or a verifier, `not_found` for every other one that does not count. */
  async exchange(code: string, verifier: string): Promise<TokenSet> {
    if (code.length !== lengths.authorizationCode || !verifierForm.test(verifier)) fail('bad_request', { detail: 'invalid code or verifier' })
    const stored = await this.#parts.sessions.takeCode(code, this.#nowSecs())
    const challenge = createHash('sha256').update(verifier).digest('base64url')
    if (stored?.challenge == null || !isSame(stored.challenge, challenge)) return fail('not_found', {})
    const user = this.#parts.users.byId(stored.userId)
    if (user === null || user.unverifiedEmail !== null) return fail('not_found', {})
    return await this.grantTokens(user)
  }

  /** Refuses `unauthorized` when the session ended or its user may not log in. */
  refresh(refreshToken: string): AccessTokens {
    return this.accessTokens(this.sessionUser(refreshToken) ?? fail('unauthorized', {}))
  }

  /** The user of a session that has not ended. */
  sessionUser(refreshToken: string): User | null {
    const id = refreshToken.length > 256 || refreshToken.includes(':') ? null : this.#parts.sessions.userOf(refreshToken, this.#nowSecs())
    const user = id === null ? null : this.#parts.users.byId(id)
    return user === null || user.unverifiedEmail !== null ? null : user
  }

  async endSession(refreshToken: string): Promise<void> {
    if (refreshToken.length <= 256 && !refreshToken.includes(':')) await this.#parts.sessions.end(refreshToken)
  }

  async endAll(userId: Uint8Array): Promise<void> {
    await this.#parts.sessions.endAll(userId)
  }

  /** A new user without address and password. */
  async signInAnonymously(): Promise<User> {
    const { users, ids } = this.#parts
    for (let tried = 0; tried < namesTriedMax; tried++) {
      const username = `anon${randomLowercase(ids, lengths.anonymousName)}`
      const inserted = await users.insert({ email: null, username, passwordHash: null, isAdmin: false })
      if (inserted.kind === 'done') return inserted.user
    }
    throw new Error(`no free name for an anonymous user among ${namesTriedMax}`)
  }

  /** Gives an anonymous user a password and names. Refuses `account_unsuitable` for others, `conflict` for a name that is taken, `bad_request` by policy. */
  async promote(userId: Uint8Array, promotion: Promotion): Promise<void> {
    const { users, passwords, settings } = this.#parts
    const { auth } = settings()
    const user = users.byId(userId) ?? fail('unauthorized', {})
    if (!isAnonymous(user) || user.unverifiedEmail !== null) fail('account_unsuitable', {})
    const username = promotion.username === null ? null : checkUsername(promotion.username)
    const email = promotion.email === null ? null : promotion.email.trim()
    if (username !== null && auth.userIdentifier === 'only_email') fail('bad_request', { detail: 'username not allowed' })
    if (email !== null && auth.userIdentifier === 'only_username') fail('bad_request', { detail: 'Email not allowed' })
    if (email === null && /email/.test(auth.userIdentifier)) fail('bad_request', { detail: 'Missing email' })
    if (email !== null && !users.isEmail(email)) fail('bad_request', { detail: 'Invalid email' })
    checkPassword(promotion.password, promotion.repeated, auth)
    const result = await users.promote(userId, await passwords.hash(promotion.password), username, email)
    if (result.kind === 'taken') fail('conflict', {})
    if (result.kind === 'invalid') fail('bad_request', { detail: 'Invalid email' })
    if (result.kind === 'missing') fail('account_unsuitable', {})
  }

  /** A new access token for `user`, for the configured time unless `lifetimeSecs` is given. */
  accessTokens(user: User, lifetimeSecs = this.#parts.settings().auth.authTokenTtlSec): AccessTokens {
    const nowSecs = this.#nowSecs()
    const claims: AccessClaims = {
      sub: subjectOf(user.id),
      iat: nowSecs,
      exp: nowSecs + lifetimeSecs,
      type: 1,
      ...(user.isAdmin ? { admin: true } : {}),
      ...(user.totpSecret === null ? {} : { mfa: true }),
      provider: user.providerId,
      email: user.email,
      username: user.username,
      csrf_token: randomAlphanumerics(this.#parts.ids, lengths.csrfToken),
    }
    return { auth_token: this.#parts.tokens.mint(claims), csrf_token: claims.csrf_token }
  }

  /** Counts as a failure unless it ends well, or was not made for want of room. */
  async #attempt(account: string, verify: () => Promise<boolean>): Promise<boolean> {
    this.#passwordAttempts.begin(account)
    let isFailure = false
    try {
      isFailure = !(await verify())
      return !isFailure
    } finally {
      if (!isFailure) this.#passwordAttempts.takeBack(account)
    }
  }

  #spendCode(user: User, secret: string, code: string): void {
    const account = keyOf(user.id)
    this.#codeAttempts.begin(account)
    const step = matchingStep(secret, code, this.#parts.clock.now())
    if (step === null || step <= (this.#lastSteps.get(account) ?? -1)) fail('unauthorized', {})
    this.#lastSteps.set(account, step)
    this.#codeAttempts.takeBack(account)
  }

  #userOf(subject: string): User | null {
    const id = userIdOfSubject(subject)
    return id === null ? null : this.#parts.users.byId(id)
  }

  #nowSecs(): number {
    return Math.floor(this.#parts.clock.now() / 1000)
  }
}

/** How long a session of `user` lasts. */
export function sessionSecs(user: User, { auth }: AccountSettings): number {
  return isAnonymous(user) ? auth.anonymousRefreshTokenTtlSec : auth.refreshTokenTtlSec
}

function isAnonymous(user: User): boolean {
  return user.passwordHash === null && user.providerId === 0 && user.email === null
}

function keyOf(id: Uint8Array): string {
  return id.toHex()
}

/** A name that nobody has, of any length. */
function keyOfNobody(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text.toLowerCase()).digest('base64url')
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
