/** The repeated messages about tokens and streams: issuers and access to streams. Deciding about a request is auth/ and streams/access.ts; those of records are config-messages-records.ts. */
import { capitals, listOf, oneOf, seconds, text, type Kind } from './config-kinds.ts'
import { messages, optional, required } from './config-kinds-message.ts'
import { path, secureUrl } from './config-kinds-network.ts'

/** Who may make tokens that this server accepts. Exactly one of `jwksUrl` and `jwksPath` is set. */
export interface IssuerConfig {
  readonly name: string
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly jwksUrl?: string
  readonly jwksPath?: string
  /** Empty: every algorithm that is safe by default. */
  readonly algorithms: readonly string[]
  readonly clockToleranceSecs: number
}

export type StreamAction = 'create' | 'read' | 'append' | 'close' | 'delete' | 'subscribe'

/** Who may do what with the streams whose path fits `pattern`. The first entry that fits decides. */
export interface StreamApiConfig {
  readonly name: string
  readonly pattern: string
  readonly aclWorld: readonly StreamAction[]
  readonly aclAuthenticated: readonly StreamAction[]
  readonly claims: readonly ClaimConfig[]
}

/** A condition on a token. Exactly one of `equals`, `equalsSegment` and `oneOf` is set; without `actions` it holds for all. */
export interface ClaimConfig {
  readonly claim: string
  readonly equals?: string
  readonly equalsSegment?: string
  readonly oneOf?: readonly string[]
  readonly actions?: readonly StreamAction[]
}

/** Signature algorithms that a token may use. HS* only with a symmetric key in a file. */
export const tokenAlgorithms = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'HS256', 'HS384', 'HS512',
] as const

export const entryName = text('a name of letters, digits, "_" and "-"', value => /^[A-Za-z0-9_-]{1,64}$/.test(value))
const words = text('a string that is not empty')
const actions = listOf(capitals(['create', 'read', 'append', 'close', 'delete', 'subscribe']))

const issuerFields = {
  name: required(entryName, 'Name in logs and metrics; unique.'),
  issuer: required(words, 'The exact `iss` of its tokens.'),
  audiences: optional(listOf(words), 'One of these must be in `aud`. Empty: a token with an `aud` is refused.'),
  jwks_url: optional(secureUrl, 'Where its public keys are. This or `jwks_path`.'),
  jwks_path: optional(path, 'A file with its keys. This or `jwks_url`.'),
  algorithms: optional(listOf(oneOf(tokenAlgorithms)), 'Allowed signature algorithms. Empty: all that use public keys. HS* needs a file.'),
  clock_tolerance_secs: optional(seconds(0, 600), 'How far its clock may be off. Default 5.'),
}

const claimFields = {
  claim: required(words, 'Name of the claim; dots lead into nested claims.'),
  equals: optional(text('a string', () => true), 'The claim must be, or contain, this.'),
  equals_segment: optional(words, 'The claim must be, or contain, the path segment that the pattern captured under this name.'),
  one_of: optional(listOf(words, { least: 1 }), 'The claim must be, or contain, one of these.'),
  actions: optional(actions, 'Actions that this condition guards. Empty: all.'),
}

const claims: Kind<readonly ClaimConfig[]> = messages<ClaimConfig>('conditions', claimFields)

const streamApiFields = {
  name: required(entryName, 'Name in logs and refusals; unique.'),
  pattern: required(words, 'Stream paths it governs: `*` is one segment, `**` any number, `{name}` one captured segment.'),
  acl_world: optional(actions, 'What anybody may do.'),
  acl_authenticated: optional(actions, 'What a caller with a valid token may do besides.'),
  claims: optional(claims, 'Conditions on the token. All that guard an action must hold, also for what anybody may do.'),
}

const issuerDefaults = { audiences: [], algorithms: [], clockToleranceSecs: 5 }
const streamApiDefaults = { aclWorld: [], aclAuthenticated: [], claims: [] }

export const issuers: Kind<readonly IssuerConfig[]> = messages<IssuerConfig>('issuers', issuerFields, issuerDefaults)
export const streamApis: Kind<readonly StreamApiConfig[]> = messages<StreamApiConfig>('entries', streamApiFields, streamApiDefaults)
