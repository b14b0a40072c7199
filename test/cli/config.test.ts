/** `config check` and `config print`: what they say, and that printed text reads back. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { configCheck, configPrint } from '../../src/cli/config.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import { loadConfig } from '../../src/ops/config.ts'
import { createWorkspace, type Workspace } from '../ops/config-inputs.ts'

const secret = 'sup3r-secret-token'
const file = `
server { bind_address: "[::1]:0" }
storage { mode: "file-fast" acid_shard_count: 8 }
http { cors_origins: ["https://a.example"] metrics_token: "${secret}" }
auth { issuers { name: "a" issuer: "https://a/" jwks_path: "a.json" algorithms: [ES256] } }
stream_apis { name: "rooms" pattern: "rooms/{room}" acl_authenticated: [READ, APPEND] claims { claim: "sub" equals_segment: "room" actions: [APPEND] } }`

let workspace: Workspace
let out = ''
let err = ''
const io = {
  out: async (text: string) => void (out += text),
  err: (text: string) => void (err += text),
}

beforeEach(() => {
  workspace = createWorkspace()
  out = ''
  err = ''
})
afterEach(() => workspace.remove())

test('check of a good configuration', async () => {
  const path = workspace.write('depot/config.textproto', file)
  expect(await configCheck(io, workspace.inputs())).toBe(0)
  expect(out).toBe(`The configuration is fine (${path}).\n`)
})

test('check tells warnings', async () => {
  const inputs = workspace.inputs({ PORT: '1', DS_SERVER__PORT: '2' })
  expect(await configCheck(io, inputs)).toBe(0)
  expect(err).toBe('warning: PORT is not used, because DS_SERVER__PORT is set too\n')
  out = ''
  await configCheck(io, inputs, { json: true })
  expect(JSON.parse(out)).toEqual({ ok: true, file: null, warnings: ['PORT is not used, because DS_SERVER__PORT is set too'] })
})

test('check of a bad configuration is an operator’s error with exit code 78', async () => {
  const refused = await configCheck(io, workspace.inputs({ PORT: 'x' })).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(OperatorError)
  expect(refused instanceof OperatorError && refused.exitCode).toBe(78)
})

test.each([false, true])('what is printed reads back as the same configuration (origins: %p)', async origin => {
  workspace.write('depot/config.textproto', file)
  const env = { DS_LOG__FORMAT: 'json', DS_SHUTDOWN__DRAIN_SECS: '2.5' }
  expect(await configPrint(io, workspace.inputs(env), { origin })).toBe(0)
  expect(out).not.toContain(secret)
  const token = { DS_HTTP__METRICS_TOKEN: secret }
  const again = loadConfig(workspace.inputs(token, { config: workspace.write('printed.textproto', out) }))
  expect(again.config).toEqual(loadConfig(workspace.inputs(env)).config)
})

test('origins stand behind the values, secrets are masked in a comment', async () => {
  const path = workspace.write('depot/config.textproto', file)
  await configPrint(io, workspace.inputs({ RUST_LOG: 'debug' }, { storage: 'memory' }), { origin: true })
  expect(out).toContain(`  bind_address: "[::1]:0"  # file ${path}:2:10\n`)
  expect(out).toContain('  mode: memory  # flag --storage\n')
  expect(out).toContain('  filter: "debug"  # env RUST_LOG\n')
  expect(out).toContain('  stream_base_path: "/v1/stream"  # default\n')
  expect(out).toContain(`  # metrics_token: "<REDACTED>"  # file ${path}:4:44\n`)
})

test('JSON', async () => {
  workspace.write('depot/config.textproto', file)
  await configPrint(io, workspace.inputs(), { json: true })
  const printed: unknown = JSON.parse(out)
  expect(printed).toMatchObject({
    server: { bind_address: '[::1]:0' },
    http: { metrics_token: '<REDACTED>', allow_open_streams: false },
    stream_apis: [{ name: 'rooms', acl_authenticated: ['READ', 'APPEND'] }],
  })
  out = ''
  await configPrint(io, workspace.inputs(), { json: true, origin: true })
  const list: unknown = JSON.parse(out)
  expect(list).toContainEqual({ path: 'log.filter', value: 'info', origin: 'default' })
  expect(out).not.toContain(secret)
})
