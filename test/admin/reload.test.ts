/** `POST /control/config/reload` over the control API: with a real reload of a real file. */
import { Elysia } from 'elysia'
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { controlRoutes } from '../../src/admin/routes.ts'
import { errorResponse } from '../../src/http/errors.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemIds } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import { ConfigReload } from '../../src/ops/config-reload.ts'
import { loadConfig } from '../../src/ops/config.ts'
import { createWorkspace, type Workspace } from '../ops/config-inputs.ts'
import { SmallStreams } from '../support/stream-admin.ts'

let workspace: Workspace
beforeEach(() => void (workspace = createWorkspace()))
afterEach(() => workspace.remove())

async function post(withReload: boolean): Promise<{ readonly status: number; readonly body: unknown }> {
  const load = () => loadConfig(workspace.inputs())
  const reload = new ConfigReload({ first: loadConfig({ ...workspace.inputs(), readFile: () => null }), load, apply: async () => {}, log: silentLog })
  const reloadConfig = withReload ? () => reload.reload() : null
  const parts = { admin: new SmallStreams(), spoolDir: workspace.path, importBytesMax: 1, clock: systemClock, ids: systemIds, log: silentLog, reloadConfig }
  const app = new Elysia().onError(({ error, request }) => errorResponse(error, { requestId: 'r', log: silentLog, instance: '/', method: request.method })).use(controlRoutes(parts))
  const response = await app.handle(new Request('http://control/control/config/reload', { method: 'POST' }))
  return { status: response.status, body: await response.json() }
}

test('says what holds now and what waits for a restart', async () => {
  workspace.write('depot/config.textproto', 'record_apis { name: "a" table_name: "a" } log { filter: "debug" } jobs { system_jobs { id: BACKUP schedule: "@daily" } }')
  expect(await post(true)).toEqual({
    status: 200,
    body: { applied: ['record_apis'], needs_restart: ['log.filter', 'jobs.system_jobs'], warnings: ['jobs.system_jobs is not used by this version'] },
  })
})

test('a bad configuration is refused with its reason', async () => {
  workspace.write('depot/config.textproto', 'record_apis { name: "a" }')
  expect(await post(true)).toMatchObject({ status: 422, body: { code: 'config_rejected', detail: expect.stringContaining('record_apis[0].table_name: expected the name of a table') } })
})

test('where nothing runs there is nothing to apply it to', async () => {
  expect(await post(false)).toMatchObject({ status: 404, body: { code: 'not_found' } })
})
