/** A depot at its first start, at later ones, where parts of it cannot be written, and one that only had streams. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../src/lib/errors.ts'
import { loadConfig } from '../../src/ops/config.ts'
import { adminNotice, makeDepot, type DepotReport } from '../../src/ops/depot.ts'
import { memoryLog, type Line } from '../support/memory-log.ts'
import { createWorkspace, type Workspace } from './config-inputs.ts'

let workspace: Workspace
let lines: Line[]
beforeEach(() => {
  workspace = createWorkspace()
  lines = []
})
afterEach(() => workspace.remove())

function make(flags: Record<string, unknown> = {}): DepotReport {
  const { config, file } = loadConfig(workspace.inputs({}, flags))
  return makeDepot(config, file, memoryLog(lines))
}

const depot = (path = '') => join(workspace.path, 'depot', path)

test('the first start makes everything, the second nothing', () => {
  expect(make().made).toEqual([
    'data/', 'data/streams/', 'migrations/main/', 'uploads/', 'secrets/keys/', 'backups/', '.gitignore', 'config.textproto', 'secrets/secrets.textproto',
  ])
  expect(lines.map(line => line.message)).toEqual(['depot prepared'])
  expect(statSync(depot('secrets/secrets.textproto')).mode & 0o777).toBe(0o600)
  expect(make()).toEqual({ made: [], missing: [] })
  expect(lines).toHaveLength(1)
})

test('the new config file says the same as none', () => {
  const before = loadConfig(workspace.inputs()).config
  make()
  const after = loadConfig(workspace.inputs())
  expect(after.file).toBe(depot('config.textproto'))
  expect(after.config).toEqual(before)
  expect(after.warnings).toEqual([])
  // What stands there in comments is right too.
  const text = workspace.read('depot/config.textproto').replaceAll(/^( *)# (?=[a-z_]+:|  |\}\])/gm, '$1')
  expect(loadConfig(workspace.inputs({}, { config: workspace.write('uncommented.textproto', text) })).config.recordApis).toHaveLength(1)
})

test('a config file of either kind, or a named one, is the only one', () => {
  workspace.write('depot/config.json', '{}')
  expect(make().made).not.toContain('config.textproto')
  workspace.write('else/c.textproto', '')
  expect(make({ depot: 'two', config: 'else/c.textproto' }).made).not.toContain('config.textproto')
})

test('a depot that only had streams gets the rest', () => {
  workspace.write('depot/data/streams/acid/shard-000.db', 'kept')
  expect(make().made).not.toContain('data/')
  expect(workspace.read('depot/data/streams/acid/shard-000.db')).toBe('kept')
  expect(readdirSync(depot()).sort()).toEqual(['.gitignore', 'backups', 'config.textproto', 'data', 'migrations', 'secrets', 'uploads'])
})

test('directories of their own, and of further databases', () => {
  workspace.write('depot/config.textproto', 'databases { name: "other" } records { uploads_dir: "../files" migrations_dir: "sql" } storage { data_dir: "../streams" }')
  expect(make().made).toEqual(['data/', 'sql/main/', 'sql/other/', join(workspace.path, 'files/'), 'secrets/keys/', 'backups/', '.gitignore', 'secrets/secrets.textproto'])
  expect(existsSync(depot('data/streams'))).toBe(false)
})

test('a vault that others can read is told', () => {
  make()
  chmodSync(depot('secrets/secrets.textproto'), 0o644)
  make()
  expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { mode: '644' } })
})

test('what is in the way of data is an operator’s error, what is in the way of the rest is not', () => {
  mkdirSync(depot(), { recursive: true })
  // Files where directories should be fail for every user, also for root, who may write into read-only directories.
  for (const name of ['migrations', 'uploads', 'secrets', 'backups']) writeFileSync(depot(name), '')
  expect(make().missing).toEqual(['migrations/main', 'secrets/keys', 'secrets/secrets.textproto'])
  writeFileSync(join(workspace.path, 'file'), '')
  let refusal: unknown
  try {
    make({ depot: 'file' })
  } catch (error) {
    refusal = error
  }
  expect(refusal instanceof OperatorError && [refusal.exitCode, refusal.message.replace(workspace.path, '')]).toEqual([73, '/file/data cannot be made (ENOTDIR)'])
})

test('the notice of the first administrator', () => {
  expect(adminNotice({ email: 'a@b', username: 'a', password: 'p' })).toBe('The first administrator of this depot (shown this once):\n  email:    a@b\n  username: a\n  password: p\n')
})
