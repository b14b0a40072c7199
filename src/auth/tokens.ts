/** Bearer tokens to principals: the public face of auth/. What a principal may then do is decided elsewhere. */
import type { Clock } from '../lib/clock.ts'
import { fail, OperatorError, Refusal, type ErrorCode } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Principal } from '../lib/principal.ts'
import { RecentMap } from '../lib/recent-map.ts'
import { isAlgorithmName, type AlgorithmName } from './algorithms.ts'
import { claimFault, tokenTimes, type TokenTimes } from './claims.ts'
import { decodeCompact, tokenCharsMax, type CompactToken } from './compact.ts'
import { compileIssuers, type Issuer, type IssuerConfig } from './issuers.ts'
import type { VerificationKey } from './jwks.ts'
import { readTextFile, type Fetch, type ReadTextFile } from './jwks-loaders.ts'

export type { IssuerConfig } from './issuers.ts'

/** Most verified tokens that are remembered, and the sum of their lengths. */
export const verifiedTokensMax = 20_000
export const verifiedCharsMax = 16 * 1024 * 1024
/** Most refused tokens that are remembered, and for how long. */
export const refusedTokensMax = 8_192
export const refusedMs = 30_000
/** Most signatures that are being checked at a time; further tokens are refused as overload. */
export const verificationsInFlightMax = 1_024
/** How often URL and file issuers are looked at; whether they are read again is their policy. */
const urlTickMs = 30_000
const fileTickMs = 10_000

export interface TokenVerifierDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly fetch: Fetch
  readonly metrics?: Metrics
  readonly readFile?: ReadTextFile
}

interface Verified extends TokenTimes {
  principal: UserPrincipal
  readonly key: VerificationKey
  readonly issuer: Issuer
}

interface Refused {
  readonly untilMs: number
  readonly revision: number
  readonly issuer: Issuer
}

type UserPrincipal = Extract<Principal, { kind: 'user' }>

/** Checks tokens of any number of issuers. A token seen before costs about a microsecond, until its expiry or its key's end. */
export class TokenVerifier {
  readonly #issuers: ReadonlyMap<string, Issuer>
  readonly #clock: Clock
  readonly #count: (type: 'token' | 'jwks_load', result: string) => void
  readonly #verified = new RecentMap<string, Verified>(verifiedTokensMax, verifiedCharsMax)
  readonly #refused = new RecentMap<string, Refused>(refusedTokensMax)
  readonly #running = new Map<string, Promise<Principal>>()
  #stops: (() => void)[] = []

  /** Throws an OperatorError (78) when the configuration cannot be meant. */
  constructor(configs: readonly IssuerConfig[], deps: TokenVerifierDependencies) {
    const { clock, log, fetch, metrics, readFile = readTextFile } = deps
    this.#clock = clock
    this.#count = (type, result) =>
      metrics?.counter('headwater_auth_events_total', 'Tokens checked anew and key sets read, by result', { type, result }).add()
    const onLoad = (_issuer: string, succeeded: boolean) => this.#count('jwks_load', succeeded ? 'succeeded' : 'failed')
    this.#issuers = compileIssuers(configs, { clock, log: log.child('auth'), fetch, readFile, onLoad })
  }

  /**
   * Reads all keys and keeps them fresh from then on. Waits for files, whose faults are an OperatorError (78);
   * does not wait for URLs: a provider that is down must not keep the server from starting.
   */
  async start(): Promise<void> {
    for (const { name, keys, source } of this.#issuers.values()) {
      const loaded = keys.refresh()
      this.#stops.push(this.#clock.every(source === 'url' ? urlTickMs : fileTickMs, () => void keys.tick()))
      if (source !== 'file') continue
      await loaded
      if (keys.usable) continue
      this.stop()
      throw new OperatorError(
        `The keys of issuer "${name}" cannot be read from its jwks_path; the log says why.`,
        'Put a JSON Web Key Set there ({"keys": […]}) and make it readable for the server.',
        78,
      )
    }
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** The principal of a token that was verified before and still counts; null when `verify` has to look. */
  peek(token: string): Principal | null {
    const known = this.#verified.get(token)
    if (known === undefined || known.key.revoked || !known.issuer.keys.usable) return null
    const nowMs = this.#clock.now()
    return nowMs < known.acceptedAtMs || nowMs >= known.refusedAtMs ? null : currentPrincipal(known, nowMs)
  }

  /**
   * The principal of `token`. Refuses with token_invalid, token_expired, identity_unavailable (its issuer's keys
   * cannot be read and none is known) or overloaded. Waits for a reading of keys, at most about 5 s.
   */
  async verify(token: string): Promise<Principal> {
    const known = this.peek(token)
    if (known !== null) return known
    if (token.length > tokenCharsMax) return this.#refuse('token_invalid', `The token is longer than ${tokenCharsMax} characters`)
    const running = this.#running.get(token)
    if (running !== undefined) return running
    if (this.#running.size >= verificationsInFlightMax) fail('overloaded', { detail: 'Too many tokens are being verified' })
    const attempt = this.#verifyAnew(token).finally(() => this.#running.delete(token))
    this.#running.set(token, attempt)
    return attempt
  }

  async #verifyAnew(text: string): Promise<Principal> {
    const token = decodeCompact(text)
    if (token === null) return this.#refuse('token_invalid', 'The token is malformed')
    const { issuer, times } = this.#admit(token)
    const { alg, kid } = token.header
    if (!isAlgorithmName(alg) || !issuer.algorithms.has(alg)) return this.#refuse('token_invalid', 'The algorithm is not allowed')
    const digest = new Bun.CryptoHasher('sha256').update(text).digest('base64url')
    if (this.#isRefused(digest)) return this.#refuse('token_invalid', notSigned)
    const key = await this.#findSigner(issuer, text, alg, kid)
    if (key === null) {
      const untilMs = this.#clock.monotonic() + refusedMs
      this.#refused.set(digest, { untilMs, revision: issuer.keys.revision, issuer })
      return this.#refuse('token_invalid', notSigned)
    }
    const verified: Verified = { ...times, principal: toPrincipal(token, times, key), key, issuer }
    this.#verified.set(text, verified, text.length)
    this.#count('token', 'accepted')
    return currentPrincipal(verified, this.#clock.now())
  }

  /** All that is decided without a signature comes first: refusing a flood of stale tokens costs no cryptography. */
  #admit(token: CompactToken): { issuer: Issuer; times: TokenTimes } {
    const issuer = this.#issuers.get(token.claims.iss)
    if (issuer === undefined) return this.#refuse('token_invalid', 'The issuer is not known here')
    const times = tokenTimes(token.claims, issuer.policy)
    const fault = claimFault(token.claims, times, issuer.policy, this.#clock.now())
    if (fault !== null) return this.#refuse(fault.code, fault.detail)
    return { issuer, times }
  }

  async #findSigner(issuer: Issuer, text: string, alg: AlgorithmName, kid: string | undefined): Promise<VerificationKey | null> {
    const { keys } = issuer
    const known = await firstThatVerifies(keys.candidates(alg, kid), text, alg)
    if (known !== null) return known
    // The key may be newer than our reading. The source bounds how often that is looked up, however many tokens ask.
    const rotated = (await keys.refresh()) ? await firstThatVerifies(keys.candidates(alg, kid), text, alg) : null
    if (rotated !== null) return rotated
    const unseen = keys.failing && keys.candidates(alg, kid).length === 0
    if (!keys.usable || unseen) return this.#refuse('identity_unavailable', `The keys of issuer "${issuer.name}" cannot be read`)
    return null
  }

  /** A refusal is remembered only as long as the issuer's keys stay as they were. */
  #isRefused(digest: string): boolean {
    const refused = this.#refused.get(digest)
    return refused !== undefined && this.#clock.monotonic() < refused.untilMs && refused.revision === refused.issuer.keys.revision
  }

  #refuse(code: 'token_invalid' | 'token_expired' | 'identity_unavailable', detail: string): never {
    this.#count('token', code satisfies ErrorCode)
    throw new Refusal(code, { detail })
  }
}

const notSigned = 'No key of the issuer made this signature'

async function firstThatVerifies(keys: readonly VerificationKey[], text: string, alg: AlgorithmName): Promise<VerificationKey | null> {
  for (const key of keys) {
    if (await key.verifies(text, alg)) return key
  }
  return null
}

function toPrincipal({ claims }: CompactToken, times: TokenTimes, key: VerificationKey): UserPrincipal {
  const isRevoked = () => key.revoked
  return { kind: 'user', subject: claims.sub ?? '', issuer: claims.iss, claims, expiresAtMs: times.expiresAtMs, isRevoked }
}

/**
 * Live readers end at the token's own expiry. Only a token that is used after it, within the tolerance for clocks that
 * differ, lasts until the tolerance is over: it would be cut the moment it came otherwise.
 */
function currentPrincipal(verified: Verified, nowMs: number): UserPrincipal {
  if (nowMs >= (verified.principal.expiresAtMs ?? Infinity)) {
    verified.principal = { ...verified.principal, expiresAtMs: verified.refusedAtMs }
  }
  return verified.principal
}
