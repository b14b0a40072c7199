/** How often the regression tests repeat what once went wrong elsewhere; the long form is HEADWATER_REGRESSION_SCALE=100. */

const scale = Math.max(1, Number(Bun.env.HEADWATER_REGRESSION_SCALE ?? 1) || 1)

/** `short` rounds in the test command, more in the long form. */
export function rounds(short: number): number {
  return Math.round(short * scale)
}

/** The time limit of a test that takes `shortMs` at most in its short form. */
export function limitMs(shortMs: number): number {
  return shortMs * scale
}

export const durableModes = ['acid', 'file-durable'] as const
export const diskModes = ['acid', 'file-durable', 'file-fast'] as const
export const allModes = ['memory', 'file-fast', 'file-durable', 'acid'] as const
