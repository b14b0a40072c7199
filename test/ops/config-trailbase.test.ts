/** TrailBase's configuration is a part of ours: both grammars, secrets from vault and environment, warnings, and the words of mistakes. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { configPrint } from '../../src/cli/config.ts'
import { loadConfig } from '../../src/ops/config.ts'
import { createWorkspace, refusalOf, type Workspace } from './config-inputs.ts'

let workspace: Workspace
beforeEach(() => void (workspace = createWorkspace()))
afterEach(() => workspace.remove())

const whole = `# config.Config
email {
  smtp_host: "smtp.example.org" smtp_port: 587 smtp_username: 'mailer' smtp_password: "<REDACTED>"
  sender_name: "Example" sender_address: "noreply@example.org"
  otp_template { subject: "{{ APP_NAME }} code" body: "<p>{{ CODE }}</p>\\n<p>It\\'s valid once.</p>\\n" }
}
server {
  application_name: "Example" site_url: "https://example.org/" logs_retention_sec: 86400
  enable_record_transactions: true auth_ip_rate_limit: 10
  s3_storage_config { endpoint: "https://s3.example.org" bucket_name: "files" secret_access_key: "<REDACTED>" }
}
auth {
  auth_token_ttl_sec: 600 user_identifier: REQUIRE_EMAIL enable_otp_signin: true
  custom_uri_schemes: ["com.example.app"] redirect_uri_allowlist: ["https://app.example.org/cb"]
  oauth_providers: [{
    key: "github"
    value { client_id: "abc" client_secret: "<REDACTED>" provider_id: GITHUB }
  }, {
    key: "oidc0"
    value {
      client_id: "id" provider_id: OIDC0 display_name: "Ours" scopes: ["openid", "email"]
      auth_url: "http://localhost:9088/a" token_url: "http://localhost:9088/t" user_api_url: "http://localhost:9088/u"
    }
  }]
}
jobs { system_jobs: [{ id: BACKUP schedule: "0 30 3 * * * *" disabled: true }] }
databases: [{ name: "analytics" }]
record_apis: [{
  name: "posts" table_name: "post" conflict_resolution: REPLACE
  autofill_missing_user_id_columns: true enable_subscriptions: true
  acl_world: [READ] acl_authenticated: [CREATE, READ, UPDATE, DELETE, SCHEMA]
  create_access_rule: "_REQ_.author = _USER_.id" expand: ["category"] listing_hard_limit: 200
}, {
  name: "events" table_name: "analytics.event" attached_databases: ["analytics"] acl_world: [CREATE]
}]
schemas: [{ name: "tags" schema: "{\\"type\\":\\"array\\"}" }]`

const vault = `secrets { key: "TRAIL_EMAIL_SMTP_PASSWORD" value: "from-vault" }
secrets: [{ key: "TRAIL_AUTH_OAUTH_PROVIDERS_GITHUB_CLIENT_SECRET" value: "github-vault" }]`

test('a whole configuration of TrailBase', () => {
  workspace.write('depot/config.textproto', whole)
  workspace.write('depot/secrets/secrets.textproto', vault)
  const env = { TRAIL_SERVER_S3_STORAGE_CONFIG_SECRET_ACCESS_KEY: 's3-env', TRAIL_AUTH_OAUTH_PROVIDERS_OIDC0_CLIENT_ID: 'other' }
  const { config, origins, warnings } = loadConfig(workspace.inputs(env))
  expect(config.email).toMatchObject({ smtpPort: 587, smtpPassword: 'from-vault', smtpEncryption: 'starttls' })
  expect(config.email.otpTemplate.body).toBe("<p>{{ CODE }}</p>\n<p>It's valid once.</p>\n")
  expect(origins.get('email.smtp_password')).toBe('vault TRAIL_EMAIL_SMTP_PASSWORD')
  expect(config.server).toMatchObject({ applicationName: 'Example', siteUrl: 'https://example.org', url: 'https://example.org', enableRecordTransactions: true })
  expect(config.server.s3StorageConfig).toMatchObject({ bucketName: 'files', region: null, secretAccessKey: 's3-env' })
  expect(config.auth).toMatchObject({ authTokenTtlSec: 600, refreshTokenTtlSec: 2_592_000, userIdentifier: 'require_email', customUriSchemes: ['com.example.app'] })
  expect(config.auth.oauthProviders).toMatchObject([
    { key: 'github', value: { clientSecret: 'github-vault', providerId: 'github', scopes: [] } },
    { key: 'oidc0', value: { clientId: 'other', scopes: ['openid', 'email'] } },
  ])
  expect(config.jobs.systemJobs).toEqual([{ id: 'backup', schedule: '0 30 3 * * * *', disabled: true }])
  expect(config.databases).toEqual([{ name: 'analytics' }])
  expect(config.schemas).toEqual([{ name: 'tags', schema: '{"type":"array"}' }])
  expect(config.recordApis[0]).toEqual({
    name: 'posts',
    tableName: 'post',
    attachedDatabases: [],
    conflictResolution: 'replace',
    autofillMissingUserIdColumns: true,
    enableSubscriptions: true,
    aclWorld: ['read'],
    aclAuthenticated: ['create', 'read', 'update', 'delete', 'schema'],
    excludedColumns: [],
    createAccessRule: '_REQ_.author = _USER_.id',
    readAccessRule: null,
    updateAccessRule: null,
    deleteAccessRule: null,
    schemaAccessRule: null,
    expand: ['category'],
    listingHardLimit: 200,
  })
  expect(config.recordApis[1]).toMatchObject({ tableName: 'analytics.event', attachedDatabases: ['analytics'], conflictResolution: null, listingHardLimit: 1024 })
  expect(warnings).toEqual([
    'server.logs_retention_sec is not used by this version',
    'auth.enable_otp_signin, auth.oauth_providers are not used by this version',
    'email.smtp_host, email.smtp_port, email.smtp_username, email.smtp_password, email.sender_name, email.sender_address, email.otp_template.subject, email.otp_template.body are not used by this version',
    'jobs.system_jobs is not used by this version',
  ])
})

test('in JSON a map may be an object', () => {
  workspace.write('depot/config.json', '{ "auth": { "oauth_providers": { "github": { "client_id": "a", "provider_id": "GITHUB" }, "discord": { "provider_id": "DISCORD" } } } }')
  const listed = loadConfig(workspace.inputs()).config.auth.oauthProviders
  expect(listed.map(({ key, value }) => [key, value.providerId])).toEqual([['github', 'github'], ['discord', 'discord']])
})

test('names of enums may stand behind the prefix of their enum', () => {
  workspace.write('depot/config.textproto', `email { smtp_encryption: SMTP_ENCRYPTION_NONE } auth { user_identifier: UNDEFINED }
    record_apis { name: "a" table_name: "a" conflict_resolution: CONFLICT_RESOLUTION_STRATEGY_UNDEFINED acl_world: PERMISSION_FLAG_READ }`)
  const { config } = loadConfig(workspace.inputs())
  expect([config.email.smtpEncryption, config.auth.userIdentifier]).toEqual(['none', 'only_email'])
  expect(config.recordApis[0]).toMatchObject({ conflictResolution: null, aclWorld: ['read'] })
})

describe('secrets', () => {
  test('environment > vault > file', () => {
    workspace.write('depot/config.textproto', 'email { smtp_password: "from-file" smtp_host: "h" smtp_port: 25 smtp_username: "u" }')
    const password = (env: Record<string, string> = {}) => loadConfig(workspace.inputs(env)).config.email.smtpPassword
    expect(password()).toBe('from-file')
    workspace.write('depot/secrets/secrets.textproto', vault)
    expect(password()).toBe('from-vault')
    expect(password({ TRAIL_EMAIL_SMTP_PASSWORD: 'from-env' })).toBe('from-env')
  })

  test('a mask without a value is not set, and a warning says where the value could be', () => {
    workspace.write('depot/config.textproto', 'auth { oauth_providers { key: "github" value { provider_id: GITHUB client_secret: "<REDACTED>" } } } server { s3_storage_config { endpoint: "e" bucket_name: "b" secret_access_key: "<REDACTED>" } }')
    const { config, warnings } = loadConfig(workspace.inputs())
    expect(config.auth.oauthProviders[0]?.value.clientSecret).toBeUndefined()
    expect(config.server.s3StorageConfig.secretAccessKey).toBeNull()
    expect(warnings.join('\n')).toContain('neither the vault (secrets/secrets.textproto) nor the environment has TRAIL_AUTH_OAUTH_PROVIDERS_GITHUB_CLIENT_SECRET')
    expect(warnings.join('\n')).toContain('TRAIL_SERVER_S3_STORAGE_CONFIG_SECRET_ACCESS_KEY')
  })

  test('are never in words or prints', async () => {
    workspace.write('depot/config.textproto', `${whole.replace('"<REDACTED>" provider_id', '" hunter2" provider_id')}`)
    const refusal = refusalOf(workspace, workspace.inputs())
    expect(refusal).toContain('auth.oauth_providers[0].value.client_secret: expected a string without blanks at its ends, got a value that does not fit')
    expect(refusal).not.toContain('hunter2')
    workspace.write('depot/secrets/secrets.textproto', 'secrets { key: "TRAIL_X" value: hunter2 }')
    expect(refusalOf(workspace, workspace.inputs())).not.toContain('hunter2')
    workspace.write('depot/config.textproto', whole)
    workspace.write('depot/secrets/secrets.textproto', vault)
    let out = ''
    await configPrint({ out: async text => void (out += text), err: () => {} }, workspace.inputs(), {})
    expect(out).not.toMatch(/from-vault|github-vault/)
    expect(out).toContain('# client_secret: "<REDACTED>"')
    expect(out).toContain('body:\n      "<p>{{ CODE }}</p>\\n"\n      "<p>It\'s valid once.</p>\\n"\n')
    const again = loadConfig(workspace.inputs({}, { config: workspace.write('printed.textproto', out) })).config
    const first = loadConfig(workspace.inputs()).config
    expect(again.auth.oauthProviders).toMatchObject([{ key: 'github', value: { clientId: 'abc' } }, { key: 'oidc0' }])
    expect({ ...again, auth: null, server: null }).toEqual({ ...first, auth: null, server: null })
  })

  test('mistakes in the vault', () => {
    workspace.write('depot/secrets/secrets.textproto', 'secret { key: "a" value: "b" }')
    expect(refusalOf(workspace, workspace.inputs())).toContain('syntax: unknown field "secret"; the vault holds secrets { key: … value: … } (depot/secrets/secrets.textproto:1:1)')
    workspace.write('depot/secrets/secrets.textproto', 'secrets { key: "TRAIL_EMAIL_SMTP_PASWORD" value: "b" }')
    expect(loadConfig(workspace.inputs()).warnings).toEqual([`${workspace.path}/depot/secrets/secrets.textproto: TRAIL_EMAIL_SMTP_PASWORD: unknown option; did you mean "TRAIL_EMAIL_SMTP_PASSWORD"?`])
  })
})

test('server.url and server.site_url stand for each other', () => {
  const urls = (env: Record<string, string>) => {
    const { url, siteUrl } = loadConfig(workspace.inputs(env)).config.server
    return [url, siteUrl]
  }
  expect(urls({ PUBLIC_URL: 'http://p' })).toEqual(['http://p', 'http://p'])
  expect(urls({ TRAIL_SERVER_SITE_URL: 'http://s' })).toEqual(['http://s', 'http://s'])
  expect(urls({ TRAIL_SERVER_SITE_URL: 'http://s', PUBLIC_URL: 'http://p' })).toEqual(['http://p', 'http://s'])
  expect(urls({})).toEqual([null, null])
})

test('a variable of TrailBase that we do not know is a warning', () => {
  expect(loadConfig(workspace.inputs({ TRAIL_SERVER_SITE_ULR: 'http://s' })).warnings).toEqual(['TRAIL_SERVER_SITE_ULR: unknown option; did you mean "TRAIL_SERVER_SITE_URL"?'])
})

describe('mistakes', () => {
  const api = 'name: "a" table_name: "a"'
  const mistakes: readonly (readonly [file: string, problem: string])[] = [
    [`record_apis { ${api} acl: [READ] }`, 'record_apis[0].acl: unknown field'],
    [`record_apis { ${api} acl_wrold: [READ] }`, 'record_apis[0].acl_wrold: unknown field; did you mean "acl_world"?'],
    [`record_apis { ${api} acl_world: [APPEND] }`, 'record_apis[0].acl_world[0]: expected one of CREATE, READ, UPDATE, DELETE, SCHEMA, got "APPEND"'],
    [`record_apis { ${api} } record_apis { ${api} }`, 'record_apis[1].name: expected a name of its own, got "a" again'],
    [`record_apis { ${api} attached_databases: "x" }`, 'record_apis[0].attached_databases[0]: expected a database of the list databases, got "x"'],
    ['databases { name: "events" } record_apis { name: "a" table_name: "event.a" }', 'record_apis[0].table_name: expected a database of the list databases, got "event"; did you mean "events"?'],
    [`record_apis { ${api} listing_hard_limit: 0 }`, 'record_apis[0].listing_hard_limit: expected a whole number from 1 to 65536, got 0'],
    ['databases { name: "Main" }', 'databases[0].name: expected another name than main, public, logs, session, temp, got "Main"'],
    ['databases { name: "../x" }', 'databases[0].name: expected a name of letters, digits, "_" and "-", got "../x"'],
    ['databases: [{ name: "a" }, { name: "A" }]', 'databases[1].name: expected a name of its own, got "a" again'],
    ['schemas { name: "a" schema: "[1]" }', 'schemas[0].schema: expected a JSON Schema, that is, a JSON object, got other text'],
    ['schemas { name: "std.FileUpload" schema: "{}" }', 'schemas[0].name: expected a name that does not begin with "std."'],
    ['server { application_name: "a/b" }', 'server.application_name: expected letters, digits, blanks'],
    ['server { s3_storage_config { region: "x" } }', 'server.s3_storage_config.endpoint: expected the address of the S3 service'],
    ['email { smtp_host: "h" smtp_encryption: NONE }', 'email.smtp_port: expected the port of email.smtp_host'],
    ['email { smtp_host: "h" smtp_port: 25 }', 'email.smtp_username: expected a value, because email.smtp_encryption is STARTTLS'],
    ['email { smtp_port: 25 }', 'email.smtp_host: expected a host'],
    ['email { sender_address: "a@b" }', 'email.sender_name: expected the name that belongs to email.sender_address'],
    ['email { otp_template { body: "x" } }', 'email.otp_template.body: expected a template that mentions CODE'],
    ['auth { oauth_providers { key: "github" value { provider_id: GITLAB } } }', 'auth.oauth_providers[0].key: expected "gitlab", the name of its provider, got "github"'],
    ['auth { oauth_providers { key: "oidc0" value { provider_id: OIDC0 token_url: "https://a" user_api_url: "https://a" } } }', 'auth.oauth_providers[0].value.auth_url: expected an address'],
    ['auth { oauth_providers { key: "github" value { provider_id: GITHUB client_secrets: "x" } } }', 'auth.oauth_providers[0].value.client_secrets: unknown field; did you mean "client_secret"?'],
    ['jobs { system_jobs { id: BACKUP } }', 'jobs.system_jobs[0].schedule: expected a string that is not empty, got nothing'],
    ['jobs { system_jobs: [{ id: BACKUP schedule: "@daily" }, { id: BACKUP schedule: "@daily" }] }', 'jobs.system_jobs[1].id: expected a name of its own, got "BACKUP" again'],
  ]
  test.each(mistakes)('%s', (file, problem) => {
    workspace.write('depot/config.textproto', file)
    expect(refusalOf(workspace, workspace.inputs())).toContain(`  ${problem}`)
  })
})
