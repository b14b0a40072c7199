/** One condition on a token's claims, as a `stream_apis` entry states it. Which conditions apply is decided in access.ts. */
import type { Principal } from '../lib/principal.ts'

/** Exactly one of `equals`, `equalsSegment` and `oneOf` is set. The claim is that value, or a list that contains it. */
export interface ClaimConfig {
  /** Name of a claim; dots lead into nested ones, unless a claim has the whole name (`https://app.example/roles`). */
  readonly claim: string
  readonly equals?: string | undefined
  /** Name of a segment that the entry's pattern captures. */
  readonly equalsSegment?: string | undefined
  readonly oneOf?: readonly string[] | undefined
  /** Actions that it binds; all when empty. */
  readonly actions?: readonly string[] | undefined
}

export interface ClaimCondition {
  readonly claim: string
  /** Null: every action. */
  readonly actions: ReadonlySet<string> | null
  /** Values that are good on a path with these captured segments; empty when the path has no such segment. */
  readonly accepted: (captures: Readonly<Record<string, string>>) => readonly string[]
}

/** The condition, or a phrase that says what is wrong with it. */
export function compileClaim(config: ClaimConfig, pattern: string): ClaimCondition | string {
  const { claim, equals, equalsSegment, oneOf, actions = [] } = config
  const given = [equals, equalsSegment, oneOf].filter(value => value !== undefined)
  if (claim === '' || given.length !== 1) return `has a condition on "${claim}" that needs one of equals, equals_segment and one_of`
  if (oneOf?.length === 0) return `has a condition on "${claim}" that nothing can meet: one_of is empty`
  if (equalsSegment !== undefined && !pattern.split('/').includes(`{${equalsSegment}}`)) {
    return `compares "${claim}" with the segment "${equalsSegment}", which its pattern does not capture`
  }
  const fixed = oneOf ?? (equals === undefined ? [] : [equals])
  const accepted = (captures: Readonly<Record<string, string>>) => {
    const segment = equalsSegment !== undefined && Object.hasOwn(captures, equalsSegment) ? captures[equalsSegment] : undefined
    return segment === undefined ? fixed : [segment]
  }
  return { claim, actions: actions.length === 0 ? null : new Set(actions), accepted }
}

/** True when `condition` does not bind `action`, or `principal` meets it. Whoever has no claims does not. */
export function claimHolds(
  condition: ClaimCondition,
  action: string,
  principal: Principal,
  captures: Readonly<Record<string, string>>,
): boolean {
  if (condition.actions !== null && !condition.actions.has(action)) return true
  if (principal.kind !== 'user') return false
  const values = claimValues(principal.claims, condition.claim)
  return condition.accepted(captures).some(accepted => values.includes(accepted))
}

/** What a claim says, as texts; empty when it is missing or an object. */
function claimValues(claims: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = lookUp(claims, name)
  // Scopes are words in one text (RFC 8693 §4.2).
  if (typeof value === 'string' && (name === 'scope' || name === 'scp')) return value.split(' ').filter(word => word !== '')
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter(one => typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean').map(String)
}

/** Own members only: `constructor` is no claim. */
function lookUp(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[part]
  }
  return value
}
