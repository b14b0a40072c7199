/** The accounts of a depot put together: what app.ts needs of this folder. Each part decides for itself; nothing is decided here. */
import { join } from 'node:path'
import type { Authenticate, BearerVerifier } from '../../http/authenticate.ts'
import type { Clock } from '../../lib/clock.ts'
import { OperatorError } from '../../lib/errors.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { openKeyFiles, temporaryKeys, type KeyPair, type PublicJwk } from '../key-files.ts'
import { OwnTokens } from '../own-tokens.ts'
import { accountRoutes } from '../routes.ts'
import { AddressLimit } from './address-limit.ts'
import { createAdminGate, type AdminGate } from './admin-gate.ts'
import type { CommonFields } from './answers.ts'
import { anyIssuer, Credentials, streamAuthenticator } from './credentials.ts'
import type { AccountDatabase } from './database.ts'
import { Passwords } from './passwords.ts'
import { checkRedirect } from './redirects.ts'
import { SessionStore } from './session-store.ts'
import type { AccountSettings } from './settings.ts'
import { SignIn } from './sign-in.ts'
import { UserAdmin } from './user-admin.ts'
import { UserStore } from './user-store.ts'

export interface AccountsParts {
  /** The depot; the key pair is below its `secrets/keys/`, and made there when it is missing. */
  readonly depot: string
  readonly database: AccountDatabase
  /** Asked again for each request, so that a reload of the configuration counts. */
  readonly settings: () => AccountSettings
  /** Verifies tokens of other issuers; null when none is configured. */
  readonly foreign: BearerVerifier | null
  /** Posts that one address may make at once (`server.auth_ip_rate_limit`); null = any number. */
  readonly addressBurst: number | null
  /** CORS and security headers of an answer. */
  readonly common: (request: Request) => CommonFields
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

export interface Accounts {
  /** For record APIs: whoever has no credential that counts is anonymous. */
  readonly authenticateRecords: Authenticate
  /** The answer to a request that `authenticateRecords` saw, with the cookie that a browser gets whose access token had ended. Free without cookies. */
  readonly withFreshCookie: (request: Request, answer: Response | Promise<Response>) => Response | Promise<Response>
  /** Tells who posts to the account routes, for the limit of each address; called before `routes`. Unknown addresses have no limit. */
  readonly noteAddress: (request: Request, address: string | null) => void
  /** For streams: a token that does not count is refused; `isOpen` (no `stream_apis` and no issuers) looks at none. */
  readonly authenticateStreams: (isOpen: boolean) => Authenticate
  /** The Elysia plugin with `/api/auth/v1/…` and `/.well-known/jwks.json`. */
  readonly routes: ReturnType<typeof accountRoutes>
  /** Gives the address back, or refuses `invalid_redirect`. */
  readonly checkRedirect: (uri: string) => string
  /** For `/api/_admin/…`. */
  readonly adminGate: AdminGate
  readonly jwks: () => { readonly keys: readonly PublicJwk[] }
  readonly userAdmin: UserAdmin
  readonly signIn: SignIn
  readonly credentials: Credentials
}

/** Throws OperatorError when the key files are no pair. Where they cannot be made, a pair in memory has to do. */
export function createAccounts(parts: AccountsParts): Accounts {
  const { settings, clock, ids, addressBurst } = parts
  const log = parts.log.child('auth')
  const keys = keysOf(parts.depot, ids, log)
  const tokens = new OwnTokens(keys, clock)
  const users = new UserStore(parts.database)
  const passwords = new Passwords(log)
  const signIn = new SignIn({ users, sessions: new SessionStore(parts.database), tokens, passwords, settings, clock, ids })
  const verifier = anyIssuer(tokens, parts.foreign)
  const credentials = new Credentials({ own: tokens, verifier, signIn, settings })
  const jwks = () => ({ keys: [keys.jwk] })
  const redirect = (uri: string) => checkRedirect(uri, { ...settings().auth, siteUrl: settings().siteUrl, isDev: settings().isDev })
  const limit = addressBurst === null ? null : new AddressLimit(addressBurst, clock)
  const addresses = new WeakMap<Request, string>()
  const admit = (request: Request) => {
    const address = addresses.get(request)
    if (address !== undefined && !settings().isDev) limit?.take(address)
  }
  return {
    authenticateRecords: credentials.authenticate,
    withFreshCookie: (request, answer) => (request.headers.has('cookie') ? withFreshCookie(credentials, request, answer) : answer),
    noteAddress: (request, address) => {
      if (limit !== null && address !== null) addresses.set(request, address)
    },
    authenticateStreams: isOpen => streamAuthenticator(verifier, isOpen),
    routes: accountRoutes({ signIn, credentials, settings, checkRedirect: redirect, jwks, admit, common: parts.common }),
    checkRedirect: redirect,
    adminGate: createAdminGate(credentials, users),
    jwks,
    userAdmin: new UserAdmin({ users, signIn, passwords, ids }),
    signIn,
    credentials,
  }
}

async function withFreshCookie(credentials: Credentials, request: Request, answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer
  const cookie = credentials.freshCookie(request)
  if (cookie !== null) response.headers.append('Set-Cookie', cookie)
  return response
}

/** A depot whose secrets are read-only serves everything else, too. */
function keysOf(depot: string, ids: Ids, log: Log): KeyPair {
  try {
    return openKeyFiles(join(depot, 'secrets', 'keys'), ids)
  } catch (error) {
    if (!(error instanceof OperatorError) || error.exitCode !== 73) throw error
    log.warn('tokens of this server end with the process, because its keys cannot be stored', { reason: error.message })
    return temporaryKeys(ids)
  }
}
