/** Who may do what with which stream, by the operator's `stream_apis` entries. Who is asking was decided before. */
import { fail, OperatorError } from '../lib/errors.ts'
import { compilePattern, type PathPattern } from '../lib/pattern.ts'
import type { Principal } from '../lib/principal.ts'
import { RecentMap } from '../lib/recent-map.ts'
import { claimHolds, compileClaim, type ClaimCondition, type ClaimConfig } from './claim-condition.ts'
import { covers, fixedCaptures, overlaps } from './pattern-cover.ts'

export const streamActions = ['create', 'read', 'append', 'close', 'delete', 'subscribe'] as const
export type StreamAction = (typeof streamActions)[number]

/** One entry as configured; the first whose pattern fits a stream's path decides about it. */
export interface StreamApiConfig {
  readonly name: string
  /** `*` is one segment, `**` any number, `{name}` one captured segment. */
  readonly pattern: string
  /** What anybody may do, with or without a token. */
  readonly aclWorld: readonly string[]
  /** What a caller with a valid token may do besides. */
  readonly aclAuthenticated: readonly string[]
  /** Conditions on the token; every one that names the action, or none, must hold. They bind the world's actions too. */
  readonly claims: readonly ClaimConfig[]
}

export interface StreamAccess {
  /** True when there is no entry: then everybody may do everything. */
  readonly isOpen: boolean
  /** Refuses with unauthorized (nobody is signed in) or forbidden. `path` is the canonical, decoded path of a stream. */
  check(principal: Principal, action: StreamAction, path: string): void
  allows(principal: Principal, action: StreamAction, path: string): boolean
  /** Whoever forks gets the source's data into a stream of their own, so they must be able to read it; reading a fork needs no more than the fork. */
  checkFork(principal: Principal, path: string, sourcePath: string): void
  /** Like `check` for every stream that `pattern` can ever match; refuses also when that cannot be told from the pattern alone. */
  checkPattern(principal: Principal, action: StreamAction, pattern: string): void
}

/** Most paths whose entry is remembered, and the sum of their lengths. */
const pathsRememberedMax = 16_384
const pathCharsRememberedMax = 4 * 1024 * 1024

interface Entry {
  readonly pattern: PathPattern
  readonly world: ReadonlySet<string>
  readonly authenticated: ReadonlySet<string>
  readonly conditions: readonly ClaimCondition[]
}

interface Governed {
  readonly entry: Entry
  readonly captures: Readonly<Record<string, string>>
}

/** Throws an OperatorError (78) when an entry cannot be meant. */
export function compileAccess(configs: readonly StreamApiConfig[]): StreamAccess {
  return configs.length === 0 ? openAccess : new EntryAccess(configs.map(compileEntry))
}

const openAccess: StreamAccess = {
  isOpen: true,
  check() {},
  allows: () => true,
  checkFork() {},
  checkPattern() {},
}

class EntryAccess implements StreamAccess {
  readonly isOpen = false
  readonly #entries: readonly Entry[]
  readonly #governed = new RecentMap<string, Governed | null>(pathsRememberedMax, pathCharsRememberedMax)

  constructor(entries: readonly Entry[]) {
    this.#entries = entries
  }

  check(principal: Principal, action: StreamAction, path: string): void {
    if (!this.allows(principal, action, path)) deny(principal, action)
  }

  allows(principal: Principal, action: StreamAction, path: string): boolean {
    if (principal.kind === 'admin') return true
    const governed = this.#find(path)
    return governed !== null && grants(governed.entry, governed.captures, principal, action)
  }

  checkFork(principal: Principal, path: string, sourcePath: string): void {
    this.check(principal, 'create', path)
    this.check(principal, 'read', sourcePath)
  }

  checkPattern(principal: Principal, action: StreamAction, pattern: string): void {
    if (principal.kind === 'admin') return
    for (const entry of this.#entries) {
      if (!overlaps(entry.pattern.source, pattern)) continue
      const captures = fixedCaptures(entry.pattern.source, pattern)
      if (!grants(entry, captures, principal, action)) deny(principal, action)
      // Every stream of the pattern is decided by now; later entries do not matter.
      if (covers(entry.pattern.source, pattern)) return
    }
    deny(principal, action)
  }

  #find(path: string): Governed | null {
    const known = this.#governed.get(path)
    if (known !== undefined) return known
    const found = isCanonical(path) ? this.#match(path) : null
    this.#governed.set(path, found, path.length)
    return found
  }

  #match(path: string): Governed | null {
    for (const entry of this.#entries) {
      const captures = entry.pattern.match(path)
      if (captures !== null) return { entry, captures }
    }
    return null
  }
}

/** Paths come canonical; one that is not would be matched as another stream than it names, so no entry speaks for it. */
function isCanonical(path: string): boolean {
  return !path.split('/').some(segment => segment === '' || segment === '.' || segment === '..')
}

function grants(entry: Entry, captures: Readonly<Record<string, string>>, principal: Principal, action: StreamAction): boolean {
  const inAcl = entry.world.has(action) || (principal.kind === 'user' && entry.authenticated.has(action))
  return inAcl && entry.conditions.every(condition => claimHolds(condition, action, principal, captures))
}

function deny(principal: Principal, action: StreamAction): never {
  if (principal.kind === 'anonymous') fail('unauthorized', { detail: `To ${action} here needs a token` })
  fail('forbidden', { detail: `The token does not allow to ${action} here` })
}

function compileEntry(config: StreamApiConfig): Entry {
  const pattern = compilePattern(config.pattern)
  if (typeof pattern === 'string') throw mistake(config, `has the pattern "${config.pattern}": ${pattern}`)
  return {
    pattern,
    world: readActions(config, config.aclWorld),
    authenticated: readActions(config, config.aclAuthenticated),
    conditions: config.claims.map(claim => {
      const condition = compileClaim(claim, config.pattern)
      if (typeof condition === 'string') throw mistake(config, condition)
      return { ...condition, actions: condition.actions && readActions(config, [...condition.actions]) }
    }),
  }
}

function readActions(config: StreamApiConfig, names: readonly string[]): ReadonlySet<string> {
  const actions = names.map(name => name.toLowerCase())
  const unknown = actions.find(name => !(streamActions as readonly string[]).includes(name))
  if (unknown !== undefined) throw mistake(config, `names the action "${unknown}"; expected ${streamActions.join(', ')}`)
  return new Set(actions)
}

function mistake(config: StreamApiConfig, fault: string): OperatorError {
  return new OperatorError(`Stream API "${config.name}" ${fault}.`, 'Correct the entry of stream_apis; `headwater config check` shows all.', 78)
}
