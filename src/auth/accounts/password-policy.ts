/** Which passwords and user names people may choose (trailbase-api.md §9.4). Pure; refuses with the words that TrailBase's clients show. */
import { fail } from '../../lib/errors.ts'
import { passwordBytesMax } from './passwords.ts'

export interface PasswordPolicy {
  readonly passwordMinimalLength: number
  readonly passwordMustContainUpperAndLowerCase: boolean
  readonly passwordMustContainDigits: boolean
  readonly passwordMustContainSpecialCharacters: boolean
}

/** Refuses `bad_request` for a password that the policy does not allow, or that was repeated wrongly. */
export function checkPassword(password: string, repeated: string | null, policy: PasswordPolicy): void {
  const fault = passwordFault(password, repeated, policy)
  if (fault !== null) fail('bad_request', { detail: fault })
}

function passwordFault(password: string, repeated: string | null, policy: PasswordPolicy): string | null {
  if (repeated !== null && repeated !== password) return 'Passwords don\'t match'
  if ([...password].length < policy.passwordMinimalLength) return 'Password too short'
  if (Buffer.byteLength(password) > passwordBytesMax) return 'Password too long'
  if (policy.passwordMustContainDigits && !(/\p{Nd}/u.test(password))) return 'Must contain digits'
  if (policy.passwordMustContainDigits && /^\p{Nd}*$/u.test(password)) return 'Must contain non-digits'
  if (policy.passwordMustContainUpperAndLowerCase && !(/\p{Lu}/u.test(password) && /\p{Ll}/u.test(password))) return 'Must contain lower and upper case'
  if (policy.passwordMustContainSpecialCharacters && /^[\p{L}\p{N}]*$/u.test(password)) return 'Must contain special characters'
  return null
}

/** The name as it is stored. Refuses one that is not 3 to 32 bytes, a letter first, letters and digits behind it. */
export function checkUsername(text: string): string {
  const name = text.trim()
  const bytes = Buffer.byteLength(name)
  if (bytes < 3 || bytes > 32 || !/^\p{Alphabetic}[\p{Alphabetic}\p{N}]*$/u.test(name)) fail('bad_request', { detail: 'Invalid username' })
  return name
}
