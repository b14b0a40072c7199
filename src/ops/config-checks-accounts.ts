/** What options about accounts, mail and jobs ask of each other (trailbase-api.md §12.3). */
import { conflict, uniqueNames, type Conflict } from './config-conflict.ts'
import type { OAuthProviderConfig } from './config-messages-accounts.ts'
import type { Config } from './options.ts'

export function accountConflicts(config: Config): readonly Conflict[] {
  return [
    ...mailConflicts(config),
    ...uniqueNames('auth.oauth_providers', config.auth.oauthProviders.map(entry => entry.key), 'key'),
    ...config.auth.oauthProviders.flatMap(({ key, value }, index) => providerConflicts(key, value, `[${index}]`)),
    ...uniqueNames('jobs.system_jobs', config.jobs.systemJobs.map(job => job.id.toUpperCase()), 'id'),
  ]
}

function mailConflicts({ email }: Config): readonly Conflict[] {
  const found: Conflict[] = []
  const { smtpHost, smtpPort, smtpUsername, smtpPassword, smtpEncryption } = email
  if (smtpHost === null && [smtpPort, smtpUsername, smtpPassword].some(value => value !== null)) {
    found.push(conflict('email.smtp_host', 'expected a host, because other fields of SMTP are set, got nothing'))
  }
  if (smtpHost !== null && smtpPort === null) found.push(conflict('email.smtp_port', 'expected the port of email.smtp_host, got nothing'))
  if (smtpHost !== null && smtpEncryption !== 'none') {
    const wanted = `expected a value, because email.smtp_encryption is ${smtpEncryption.toUpperCase()}, got nothing`
    if (smtpUsername === null) found.push(conflict('email.smtp_username', wanted))
    if (smtpPassword === null) found.push(conflict('email.smtp_password', wanted))
  }
  if (email.senderAddress !== null && email.senderName === null) {
    found.push(conflict('email.sender_name', 'expected the name that belongs to email.sender_address, got nothing'))
  }
  if (email.otpTemplate.body !== null && !email.otpTemplate.body.includes('CODE')) {
    found.push(conflict('email.otp_template.body', 'expected a template that mentions CODE, got one without'))
  }
  return found
}

function providerConflicts(key: string, provider: OAuthProviderConfig, below: string): readonly Conflict[] {
  const found: Conflict[] = []
  if (key !== provider.providerId) {
    found.push(conflict('auth.oauth_providers', `expected "${provider.providerId}", the name of its provider, got "${key}"`, `${below}.key`))
  }
  if (provider.providerId !== 'oidc0') return found
  const needed = { auth_url: provider.authUrl, token_url: provider.tokenUrl, user_api_url: provider.userApiUrl }
  for (const [name, value] of Object.entries(needed)) {
    if (value === undefined) found.push(conflict('auth.oauth_providers', 'expected an address, because the provider is OIDC0, got nothing', `${below}.value.${name}`))
  }
  return found
}
