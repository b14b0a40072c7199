/** What an operator does with users from the shell: add, list, make tokens. What users do themselves is sign-in.ts. */
import { fail } from '../../lib/errors.ts'
import type { Ids } from '../../lib/ids.ts'
import { subjectOf } from '../own-tokens.ts'
import { passwordBytesMax, type Passwords } from './passwords.ts'
import { randomAlphanumerics } from './random-text.ts'
import type { SignIn, TokenSet } from './sign-in.ts'
import type { User, UserStore } from './user-store.ts'

/** Users of one page of a list. */
export const listedUsersMax = 1000
/** How long an access token lasts that an operator makes. */
export const mintedTokenSecs = 12 * 3600
const generatedPasswordCharacters = 20

export interface ListedUser {
  /** As in tokens and records. */
  readonly id: string
  readonly email: string | null
  readonly unverified_email: string | null
  readonly username: string | null
  readonly admin: boolean
  readonly mfa: boolean
  readonly provider: number
}

export class UserAdmin {
  readonly #users: UserStore
  readonly #signIn: SignIn
  readonly #passwords: Passwords
  readonly #ids: Ids

  constructor(parts: { readonly users: UserStore; readonly signIn: SignIn; readonly passwords: Passwords; readonly ids: Ids }) {
    this.#users = parts.users
    this.#signIn = parts.signIn
    this.#passwords = parts.passwords
    this.#ids = parts.ids
  }

  /**
   * A user with a confirmed address, who can log in at once. Without a password one is made, and told this once. Refuses `conflict` for an address that
   * somebody has, `bad_request` for one that is none.
   */
  async add(email: string, password: string | null, isAdmin: boolean): Promise<{ readonly user: ListedUser; readonly password: string | null }> {
    if (!this.#users.isEmail(email)) fail('bad_request', { detail: `expected an e-mail address, got "${email}"` })
    if (password === '' || Buffer.byteLength(password ?? '') > passwordBytesMax) fail('bad_request', { detail: `a password has 1 to ${passwordBytesMax} bytes` })
    const generated = password === null ? randomAlphanumerics(this.#ids, generatedPasswordCharacters) : null
    const passwordHash = await this.#passwords.hash(password ?? generated ?? '')
    const result = await this.#users.insert({ email, username: null, passwordHash, isAdmin })
    if (result.kind === 'taken') fail('conflict', { detail: `there is a user ${email}` })
    if (result.kind !== 'done') return fail('bad_request', { detail: `expected an e-mail address, got "${email}"` })
    return { user: listed(result.user), password: generated }
  }

  /** The users behind `after`, an id of the list; `next` is where to go on, null at the end. */
  list(after: string | null, limit: number): { readonly users: readonly ListedUser[]; readonly next: string | null } {
    const start = after === null ? null : new Uint8Array(Buffer.from(after, 'base64url'))
    const users = this.#users.list(start, Math.min(limit, listedUsersMax)).map(listed)
    return { users, next: users.length < limit ? null : (users.at(-1)?.id ?? null) }
  }

  /** Tokens of the user with this address, name or id, as if logged in; the access token lasts 12 hours. Refuses `not_found`. */
  async mint(text: string): Promise<TokenSet> {
    const user = this.#users.find(text) ?? fail('not_found', { detail: `there is no user "${text}"` })
    const { refresh_token } = await this.#signIn.grantTokens(user)
    const { auth_token, csrf_token } = this.#signIn.accessTokens(user, mintedTokenSecs)
    return { auth_token, refresh_token, csrf_token }
  }
}

function listed(user: User): ListedUser {
  return {
    id: subjectOf(user.id),
    email: user.email,
    unverified_email: user.unverifiedEmail,
    username: user.username,
    admin: user.isAdmin,
    mfa: user.totpSecret !== null,
    provider: user.providerId,
  }
}
