/** Checks of our own invariants. A caller's fault is a refusal (lib/errors.ts), never an assertion. */

/** Throws when `condition` is false; `message` says what should hold. The process is expected to end. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Returns `value`, or throws when it is null or undefined. */
export function must<T>(value: T | null | undefined, message: string): T {
  assert(value !== null && value !== undefined, message)
  return value
}

export class AssertionError extends Error {
  override name = 'AssertionError'
}
