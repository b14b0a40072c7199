/** Whether the server can take requests: checks, background loops, draining. The addresses that tell it are http/health-routes.ts. */
import type { HealthReport } from '../http/health-routes.ts'

/** Says what is wrong in one sentence without secrets, or null when all is well. Reads memory only: it runs on each probe. */
export type HealthCheck = () => string | null

export class Health {
  readonly #checks = new Map<string, HealthCheck>()
  #started = false
  #draining = false

  /** Adds or replaces the check `name`. */
  check(name: string, check: HealthCheck): void {
    this.#checks.set(name, check)
  }

  /** A check that fails until the returned function says otherwise: null = well, else a sentence. */
  state(name: string, initially: string | null): (problem: string | null) => void {
    let current = initially
    this.check(name, () => current)
    return problem => void (current = problem)
  }

  /** Everything is open; from now on the checks decide. */
  started(): void {
    this.#started = true
  }

  /** Not ready any more, for good. */
  drain(): void {
    this.#draining = true
  }

  get draining(): boolean {
    return this.#draining
  }

  report(): HealthReport {
    const own = [
      outcome('start', this.#started ? null : 'the server is starting'),
      outcome('shutdown', this.#draining ? 'the server is stopping' : null),
    ]
    const checks = [...own, ...[...this.#checks].map(([name, check]) => outcome(name, run(check)))]
    return { ready: checks.every(check => check.ok), checks }
  }
}

function outcome(name: string, problem: string | null): HealthReport['checks'][number] {
  return problem === null ? { name, ok: true } : { name, ok: false, detail: problem }
}

function run(check: HealthCheck): string | null {
  try {
    return check()
  } catch {
    return 'the check itself failed'
  }
}
