/** Reading the configuration again: what is applied, what waits for a restart, and that a bad one changes nothing. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { OperatorError } from '../../src/lib/errors.ts'
import { ConfigReload, type ReloadAnswer } from '../../src/ops/config-reload.ts'
import { loadConfig } from '../../src/ops/config.ts'
import type { Config } from '../../src/ops/options.ts'
import { memoryLog, type Line } from '../support/memory-log.ts'
import { createWorkspace, type Workspace } from './config-inputs.ts'

let workspace: Workspace
let lines: Line[]
let applied: Config[]
let refuse: Error | null
let reload: () => Promise<ReloadAnswer>

beforeEach(() => {
  workspace = createWorkspace()
  lines = []
  applied = []
  refuse = null
  workspace.write('depot/config.textproto', 'record_apis { name: "a" table_name: "a" }')
  const load = () => loadConfig(workspace.inputs())
  const apply = async (config: Config) => {
    await Bun.sleep(1)
    if (refuse !== null) throw refuse
    applied.push(config)
  }
  const reloader = new ConfigReload({ first: load(), load, apply, log: memoryLog(lines) })
  reload = () => reloader.reload()
})
afterEach(() => workspace.remove())

const names = () => applied.map(config => config.recordApis.map(api => api.name).join())

test('an unchanged configuration is applied too: migrations may be new', async () => {
  expect(await reload()).toEqual({ ok: true, applied: [], needsRestart: [], warnings: [], problem: null })
  expect(names()).toEqual(['a'])
})

test('record APIs hold at once, the rest waits for a restart and is named each time', async () => {
  workspace.write('depot/config.textproto', 'record_apis { name: "b" table_name: "b" } log { filter: "debug" } http { metrics_token: "0123456789abcdef" }')
  expect(await reload()).toMatchObject({ ok: true, applied: ['record_apis'], needsRestart: ['http.metrics_token', 'log.filter'] })
  expect([applied[0]?.log.filter, applied[0]?.http.metricsToken]).toEqual(['info', null])
  expect(await reload()).toMatchObject({ ok: true, applied: [], needsRestart: ['http.metrics_token', 'log.filter'] })
  expect(names()).toEqual(['b', 'b'])
  expect(Object.isFrozen(applied[0]?.recordApis[0])).toBe(true)
  expect(JSON.stringify(lines)).not.toContain('0123456789abcdef')
})

test('a bad file keeps the old one and says why', async () => {
  workspace.write('depot/config.textproto', 'record_apis { name: "b" table_nam: "b" }')
  const answer = await reload()
  expect(answer.ok).toBe(false)
  expect(answer.problem).toContain('record_apis[0].table_nam: unknown field; did you mean "table_name"?')
  expect(lines.filter(line => line.level === 'error').map(line => line.message)).toEqual(['the new configuration is not usable; the old one stays'])
  expect(names()).toEqual([])
})

test('what cannot be applied is not remembered', async () => {
  workspace.write('depot/config.textproto', 'record_apis { name: "b" table_name: "b" }')
  refuse = new OperatorError('record_apis[0] "b": there is no table b', 'Correct it.', 78)
  expect(await reload()).toMatchObject({ ok: false, applied: [], problem: 'record_apis[0] "b": there is no table b\nCorrect it.' })
  refuse = new Error('a secret of ours')
  expect((await reload()).problem).toBe('something went wrong; the log has the details')
  refuse = null
  expect(await reload()).toMatchObject({ ok: true, applied: ['record_apis'] })
})

test('a new database comes with the record APIs that use it', async () => {
  workspace.write('depot/config.textproto', 'databases { name: "other" } record_apis { name: "b" table_name: "other.b" }')
  expect(await reload()).toMatchObject({ ok: true, applied: ['databases', 'record_apis'], needsRestart: [] })
  expect(applied[0]?.databases).toEqual([{ name: 'other' }])
})

test('two at a time run one after the other', async () => {
  const first = reload()
  workspace.write('depot/config.textproto', 'record_apis { name: "b" table_name: "b" }')
  await Promise.all([first, reload()])
  expect(names()).toHaveLength(2)
  expect(names()[1]).toBe('b')
})
