/** The repeated messages about accounts and jobs, with TrailBase's names (trailbase-api.md §12.3): providers of identity and scheduled jobs. */
import { boolean, capitals, listOf, text, type Kind } from './config-kinds.ts'
import { messageMap, messages, optional, required } from './config-kinds-message.ts'
import { secureUrl } from './config-kinds-network.ts'

/** Where users may come from. The map's key is the name of the provider. */
export interface OAuthProviderConfig {
  readonly clientId?: string
  readonly clientSecret?: string
  readonly providerId: (typeof providerIds)[number]
  readonly displayName?: string
  readonly authUrl?: string
  readonly tokenUrl?: string
  readonly userApiUrl?: string
  readonly scopes: readonly string[]
}

export interface SystemJobConfig {
  readonly id: (typeof jobIds)[number]
  /** Second, minute, hour, day of month, month, day of week, year; or a name such as @daily. */
  readonly schedule: string
  readonly disabled: boolean
}

const providerIds = [
  'test', 'oidc0', 'apple', 'discord', 'gitlab', 'google', 'facebook', 'microsoft', 'twitch', 'yandex', 'github',
] as const
const jobIds = ['backup', 'heartbeat', 'log_cleaner', 'auth_cleaner', 'query_optimizer', 'file_deletions', 'anonymous_cleaner'] as const

const credential = text('a string without blanks at its ends', value => value !== '' && value.trim() === value)
const secret: Kind<string> = { ...credential, isSecret: true }
const words = text('a string that is not empty')

const providerFields = {
  client_id: optional(credential, 'The id that the provider gave this server.'),
  client_secret: optional(secret, 'The secret that belongs to it.'),
  provider_id: required(capitals(providerIds, { prefix: 'OAUTH_PROVIDER_ID_' }), 'Which provider it is.'),
  display_name: optional(words, 'Name on the button. OIDC0 only.'),
  auth_url: optional(secureUrl, 'Where the provider asks the user. OIDC0 only.'),
  token_url: optional(secureUrl, 'Where codes are exchanged. OIDC0 only.'),
  user_api_url: optional(secureUrl, 'Where the facts about the user are. OIDC0 only.'),
  scopes: optional(listOf(words), 'What is asked for. OIDC0 only.'),
}

const jobFields = {
  id: required(capitals(jobIds, { prefix: 'SYSTEM_JOB_ID_' }), 'Which job it is; unique.'),
  schedule: required(words, 'When it runs: second, minute, hour, day of month, month, day of week, year; or @hourly, @daily, @weekly, @monthly, @yearly.'),
  disabled: optional(boolean, 'It does not run.'),
}

export const oauthProviders: Kind<readonly { readonly key: string; readonly value: OAuthProviderConfig }[]> = messageMap<OAuthProviderConfig>(
  'providers',
  text('the name of the provider in lower case, such as github', value => /^[a-z0-9]{1,32}$/.test(value)),
  providerFields,
  { scopes: [] },
)
export const systemJobs: Kind<readonly SystemJobConfig[]> = messages<SystemJobConfig>('jobs', jobFields, { disabled: false })
