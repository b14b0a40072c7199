/** docs/record-apis.md: its schema loads, its views have the keys it says, its rules and expansions compile. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../src/lib/assert.ts'
import { SchemaScene, userTable, type ApiOptions } from './catalog/schema-scene.ts'

const page = readFileSync(join(import.meta.dir, '../../docs/record-apis.md'), 'utf8')
const sql = must(/```sql\n(.*?)```/s.exec(page)?.[1], 'the page has a schema')
const statements = [userTable, ...sql.split(';\n').filter(text => text.trim() !== '')]

/** Rows of the table under `heading`, without the quotes of code. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const [, body = ''] = page.split(`${heading}\n|---`)
  const lines = body.slice(body.indexOf('\n') + 1).split('\n')
  const end = lines.findIndex(line => !line.startsWith('|'))
  return lines.slice(0, end).map(line => line.slice(1, -1).split(' | ').map(cell => cell.trim().replace(/^`|`$/g, '')))
}

const views = rowsUnder('| View | Key |')
const rules = rowsUnder('| Operation | Rule |')
const expansions = rowsUnder('| Entry | Client writes | Brings along |')

test('the page has what is run here', () => {
  expect([views.length, rules.length, expansions.length]).toEqual([4, 5, 4])
})

test.each(views)('%s has the key %s', (select, key) => {
  const scene = new SchemaScene([...statements, `CREATE VIEW v AS ${select}`])
  expect(scene.relation('v').key.map(column => column.name).join(',') || '–').toBe(key)
})

test.each(rules)('%s: %s', (action, rule) => {
  const api = new SchemaScene(statements).api({ name: 'messages', tableName: 'message', [`${action}AccessRule`]: rule })
  expect(Object.values(api.facts).map(facts => facts?.isKeyed ?? null)).toContain(true)
})

test('expansions are those that clients write', () => {
  const entries = expansions.map(([entry]) => entry ?? '')
  const guards: readonly ApiOptions[] = [
    { name: 'users', tableName: '_user', aclWorld: ['read'], excludedColumns: ['password_hash', 'totp_secret'] },
    { name: 'messages', tableName: 'message', aclWorld: ['read'] },
  ]
  const scene = new SchemaScene(statements)
  const ofMessage = scene.api({ name: 'm', tableName: 'message', expand: entries.filter(entry => !entry.startsWith('replies')) }, ...guards).expand
  const ofRoom = scene.api({ name: 'r', tableName: 'room', expand: entries.filter(entry => entry.startsWith('replies')) }, ...guards).expand
  const written = [...ofMessage.values(), ...ofRoom.values()].flatMap(target => [target.name, ...[...target.next.keys()].map(next => `${target.name}.${next}`)])
  expect(written.sort()).toEqual(expansions.map(([, writes]) => writes ?? '').sort())
})
