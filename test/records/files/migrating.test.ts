/** Migrations that drop, change and rename columns of files: what they leave without a row is removed, what they keep stays. */
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-migrating-'))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const column = (name: string) => `${name} TEXT CHECK (jsonschema('std.FileUpload', ${name}))`
const table = (name: string) => `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${column('one')}, ${column('two')}) STRICT;`
const everything = ['create', 'read', 'update', 'delete'] as const

function start(names: readonly string[]): Promise<RecordServer> {
  return startRecordServer({
    directory,
    sql: table('docs') + table('dropped') + table('renamed'),
    apis: names.map(name => ({ name, tableName: name, aclWorld: everything })),
  })
}

const texts: Record<string, string> = {}

async function objects(): Promise<string[]> {
  const names = readdirSync(join(directory, 'uploads')).filter(name => !name.startsWith('.'))
  // One may be removed while it is looked at.
  const found = await Promise.all(names.map(name => Bun.file(join(directory, 'uploads', name)).text().catch(() => null)))
  return found.filter(text => text !== null).sort()
}

test('files of dropped columns and tables go', async () => {
  const file = (text: string) => ({ data: (texts[text] ??= Buffer.from(text).toString('base64')) })
  {
    await using server = await start(['docs', 'dropped', 'renamed'])
    for (const name of ['docs', 'dropped', 'renamed']) {
      const records = [1, 2].map(id => ({ id, one: file(`${name} one ${id}`), two: file(`${name} two ${id}`) }))
      expect((await server.as(null)(`/${name}`, json('POST', records))).status).toBe(200)
    }
  }
  const sql = `DELETE FROM docs WHERE id = 1; ALTER TABLE docs DROP COLUMN two; DROP TABLE dropped;
    ALTER TABLE renamed RENAME TO papers; ALTER TABLE papers RENAME COLUMN two TO second; UPDATE papers SET one = NULL WHERE id = 2;`
  writeFileSync(join(directory, 'migrations', 'main', 'U1800000001__change.sql'), sql)
  await using server = await start(['docs', 'papers'])
  for (let i = 0; i < 2000 && (await objects()).length > 4; i++) await Bun.sleep(10)
  await server.records.files.sweep()
  expect(await objects()).toEqual(['docs one 2', 'renamed one 1', 'renamed two 1', 'renamed two 2'])
  expect(server.records.store.readNow('main', 'SELECT * FROM _file_deletions', [])).toEqual([])
  expect(await (await server.as(null)('/papers/2/file/second')).text()).toBe('renamed two 2')
  await server.as(null)('/papers/2', { method: 'DELETE' })
  for (let i = 0; i < 2000 && (await objects()).length > 3; i++) await Bun.sleep(10)
  expect((await objects()).length).toBe(3)
})
