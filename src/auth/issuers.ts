/** The issuers of tokens that an operator trusts, made ready from their configuration. Checking a token is tokens.ts. */
import type { Clock } from '../lib/clock.ts'
import { OperatorError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { defaultAlgorithms, isAlgorithmName, isSymmetric, type AlgorithmName } from './algorithms.ts'
import type { ClaimPolicy } from './claims.ts'
import { isAllowedJwksUrl, jwksFileLoader, jwksUrlLoader, type Fetch, type LoadJwks, type ReadTextFile } from './jwks-loaders.ts'
import { KeySource, type KeySourcePolicy } from './key-source.ts'

/** One issuer as configured. Exactly one of `jwksUrl` and `jwksPath` is set. */
export interface IssuerConfig {
  readonly name: string
  /** The exact `iss` of its tokens. */
  readonly issuer: string
  /** One of these must be in `aud`; when empty, a token with an `aud` is refused. */
  readonly audiences: readonly string[]
  readonly jwksUrl?: string | undefined
  readonly jwksPath?: string | undefined
  /** Empty: every algorithm with a public key. HS* only if listed here, with a file. */
  readonly algorithms: readonly string[]
  readonly clockToleranceSecs: number
}

export interface Issuer {
  readonly name: string
  readonly issuer: string
  readonly algorithms: ReadonlySet<AlgorithmName>
  readonly policy: ClaimPolicy
  readonly keys: KeySource
  readonly source: 'url' | 'file'
}

export interface IssuerDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly fetch: Fetch
  readonly readFile: ReadTextFile
  readonly onLoad: (issuer: string, succeeded: boolean) => void
}

const hourMs = 3_600_000
/** With a refresh each 4 minutes, looked at each 30 s, a revoked key is refused within 5 minutes. */
const urlPolicy = { cooldownMs: 30_000, refreshMs: 240_000, staleMsMax: 24 * hourMs }
/** A file is ours and cheap, and looked at each 10 s; it does not go stale. */
const filePolicy = { cooldownMs: 1_000, refreshMs: 5_000, staleMsMax: Infinity }

/** Issuers by their `iss`. Throws an OperatorError (78) for entries that contradict themselves or each other. */
export function compileIssuers(configs: readonly IssuerConfig[], deps: IssuerDependencies): ReadonlyMap<string, Issuer> {
  const issuers = new Map<string, Issuer>()
  for (const config of configs) {
    if (issuers.has(config.issuer)) {
      throw new OperatorError(
        `Two issuers have the same issuer "${config.issuer}".`,
        'Make them one entry: audiences and algorithms are lists.',
        78,
      )
    }
    issuers.set(config.issuer, compileIssuer(config, deps))
  }
  return issuers
}

function compileIssuer(config: IssuerConfig, deps: IssuerDependencies): Issuer {
  const algorithms = readAlgorithms(config)
  const source = config.jwksPath === undefined ? 'url' : 'file'
  const policy: KeySourcePolicy = {
    ...(source === 'url' ? urlPolicy : filePolicy),
    symmetric: algorithms.some(isSymmetric),
  }
  const onLoad = (succeeded: boolean) => deps.onLoad(config.name, succeeded)
  return {
    name: config.name,
    issuer: config.issuer,
    algorithms: new Set(algorithms),
    policy: { audiences: config.audiences, clockToleranceMs: config.clockToleranceSecs * 1000 },
    keys: new KeySource(config.name, chooseLoader(config, deps), policy, { clock: deps.clock, log: deps.log, onLoad }),
    source,
  }
}

function readAlgorithms(config: IssuerConfig): readonly AlgorithmName[] {
  if (config.algorithms.length === 0) return defaultAlgorithms
  return config.algorithms.map(name => {
    if (!isAlgorithmName(name)) {
      throw mistake(config, `does not know the algorithm "${name}"`, `Use some of ${defaultAlgorithms.join(', ')}.`)
    }
    // Keys from the network are public; a "public" symmetric key would let everybody sign.
    if (isSymmetric(name) && config.jwksPath === undefined) {
      throw mistake(config, `allows ${name} with keys from a URL`, 'Symmetric keys come from a file: set jwks_path, or take the algorithm off.')
    }
    return name
  })
}

function chooseLoader(config: IssuerConfig, deps: IssuerDependencies): LoadJwks {
  const { jwksUrl, jwksPath } = config
  if (jwksUrl !== undefined && jwksPath === undefined) {
    if (isAllowedJwksUrl(jwksUrl)) return jwksUrlLoader(jwksUrl, deps)
    throw mistake(config, 'has a jwks_url that is not safe', 'Use https (http only to this machine), without user or password.')
  }
  if (jwksPath !== undefined && jwksUrl === undefined) return jwksFileLoader(jwksPath, deps.readFile)
  throw mistake(config, 'needs one of jwks_url and jwks_path', 'Set exactly one of them.')
}

function mistake(config: IssuerConfig, fault: string, remedy: string): OperatorError {
  return new OperatorError(`Issuer "${config.name}" ${fault}.`, remedy, 78)
}
