/** Random identifiers, as a parameter. The only file that asks for randomness. */

export interface Ids {
  /** An opaque identifier of 22 URL-safe characters (128 random bits). */
  random(): string
  /** A secret of 43 URL-safe characters (256 random bits). */
  secret(): string
  /** A float in [0, 1), for jitter only. */
  jitter(): number
}

export const systemIds: Ids = {
  random: () => base64url(crypto.getRandomValues(new Uint8Array(16))),
  secret: () => base64url(crypto.getRandomValues(new Uint8Array(32))),
  jitter: () => Math.random(),
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
