/** What the configuration says about accounts, as this folder needs it. ops/options-accounts.ts has the table. */
import type { PasswordPolicy } from './password-policy.ts'

export interface AuthSettings extends PasswordPolicy {
  readonly authTokenTtlSec: number
  readonly refreshTokenTtlSec: number
  readonly anonymousRefreshTokenTtlSec: number
  readonly enableAnonymousSignin: boolean
  readonly customUriSchemes: readonly string[]
  readonly redirectUriAllowlist: readonly string[]
  readonly userIdentifier: 'only_email' | 'only_username' | 'require_email' | 'require_username' | 'require_email_and_username'
}

export interface AccountSettings {
  readonly auth: AuthSettings
  /** Canonical URL of the application; decides about redirects, and whether cookies are for HTTPS only. */
  readonly siteUrl: string | null
  readonly isDev: boolean
  /** Whether `/` is a page of the application, to which people go on when they named no other. */
  readonly hasPages: boolean
}
