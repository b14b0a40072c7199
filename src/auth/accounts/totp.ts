/** Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 seconds, one step either way. How often one may guess is attempt-limit.ts. */
import { createHmac, timingSafeEqual } from 'node:crypto'

const stepSecs = 30
const driftSteps = 1
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The step whose code `code` is, near `nowMs`; null when there is none, or `secret` (base32) cannot be read. A step must not be taken twice. */
export function matchingStep(secret: string, code: string, nowMs: number): number | null {
  const key = decodeBase32(secret)
  if (key === null || !/^[0-9]{6}$/.test(code)) return null
  const now = Math.floor(nowMs / 1000 / stepSecs)
  let found: number | null = null
  // Always all of them: the time must not tell which one it was.
  for (let step = now - driftSteps; step <= now + driftSteps; step++) {
    if (timingSafeEqual(Buffer.from(codeAt(key, step)), Buffer.from(code))) found = step
  }
  return found
}

/** The code of `secret` at `nowMs`, as an authenticator shows it; null when the secret cannot be read. */
export function currentCode(secret: string, nowMs: number): string | null {
  const key = decodeBase32(secret)
  return key === null ? null : codeAt(key, Math.floor(nowMs / 1000 / stepSecs))
}

/** RFC 4226 §5.3. */
function codeAt(key: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const digest = createHmac('sha1', key).update(counter).digest()
  const at = (digest[19] ?? 0) & 0xf
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** RFC 4648 §6; authenticators show it in groups and small letters, and without padding. */
function decodeBase32(text: string): Uint8Array | null {
  const bytes: number[] = []
  let bits = 0
  let value = 0
  for (const character of text.toUpperCase().replaceAll(/[\s-]|=+$/g, '')) {
    const five = alphabet.indexOf(character)
    if (five < 0) return null
    value = ((value << 5) | five) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((value >> bits) & 0xff)
  }
  return bytes.length === 0 ? null : new Uint8Array(bytes)
}
