/** A verifier over a real provider and a clock that the test moves. */
import { afterEach } from 'bun:test'
import { TokenVerifier, type IssuerConfig } from '../../src/auth/tokens.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { memoryLog, type Line } from '../support/memory-log.ts'

export const issuer = 'https://id.example.test'

export interface VerifierSetting {
  readonly clock: ManualClock
  readonly provider: IdentityProvider
  readonly verifier: TokenVerifier
  readonly metrics: Metrics
  readonly lines: Line[]
  /** Claims of a token that is good for an hour from now. */
  claims(changes?: object): object
}

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean()
})

/** Runs `clean` after the current test. */
export function cleanAfter(clean: () => unknown): void {
  cleanups.push(clean)
}

export function makeVerifier(changes: Partial<IssuerConfig> = {}): VerifierSetting {
  const clock = new ManualClock()
  const provider = new IdentityProvider()
  const metrics = new Metrics()
  const lines: Line[] = []
  const verifier = new TokenVerifier([issuerConfig({ ...(changes.jwksPath ? {} : { jwksUrl: provider.url }), ...changes })], {
    clock,
    log: memoryLog(lines),
    fetch,
    metrics,
  })
  cleanAfter(() => verifier.stop())
  cleanAfter(() => provider.stop())
  const claims = (more: object = {}) => ({ iss: issuer, aud: 'streams', sub: 'user', exp: clock.now() / 1000 + 3_600, ...more })
  return { clock, provider, verifier, metrics, lines, claims }
}

export function issuerConfig(changes: Partial<IssuerConfig> = {}): IssuerConfig {
  return { name: 'id', issuer, audiences: ['streams'], algorithms: [], clockToleranceSecs: 0, ...changes }
}

/** The code with which `token` is refused, or the subject that it is accepted as. */
export async function outcomeOf(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    const principal = await verifier.verify(token)
    return principal.kind === 'user' ? principal.subject : principal.kind
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

/** Waits for something that happens over real sockets or files; fails after 20 s. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error('did not happen within 20 s')
    await Bun.sleep(5)
  }
}
