/** Random texts of letters and digits, in the forms that TrailBase's tokens and codes have. Where randomness comes from is lib/ids.ts. */
import type { Ids } from '../../lib/ids.ts'

const alphanumerics = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const lowercase = '0123456789abcdefghijklmnopqrstuvwxyz'

/** `length` letters and digits, each as likely as every other: 5.95 bits apiece. */
export function randomAlphanumerics(ids: Ids, length: number): string {
  return randomText(ids, alphanumerics, length)
}

/** The same of small letters and digits. */
export function randomLowercase(ids: Ids, length: number): string {
  return randomText(ids, lowercase, length)
}

/** A byte beyond the last whole multiple of the alphabet is thrown away: it would make some characters more likely. */
function randomText(ids: Ids, alphabet: string, length: number): string {
  const fair = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of Buffer.from(ids.secret(), 'base64url')) {
      if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}
