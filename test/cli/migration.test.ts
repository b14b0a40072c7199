/** `headwater migration`, and flags that stand before the command as TrailBase's clients put them. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { headwater, temporaryDirectory } from '../support/cli.ts'

// Each command is a process; on a busy machine they take their time.
setDefaultTimeout(60_000)

test('makes an empty file whose number is greater than every other', async () => {
  using directory = temporaryDirectory()
  const first = await headwater(['migration', 'add posts', '--depot', 'd'], { cwd: directory.path })
  expect(first.out).toMatch(/^d\/migrations\/main\/U[0-9]{10}__add_posts\.sql\n$/)
  expect(readFileSync(join(directory.path, first.out.trim()), 'utf8')).toBe('')
  writeFileSync(join(directory.path, 'd/migrations/main/U9000000000__far.sql'), '')
  const second = await headwater(['--depot=d', 'migration', 'b', '--json'], { cwd: directory.path })
  expect(JSON.parse(second.out)).toEqual({ path: join(directory.path, 'd/migrations/main/U9000000001__b.sql') })
})

test('knows the databases of the configuration', async () => {
  using directory = temporaryDirectory()
  writeFileSync(join(directory.path, 'c.textproto'), 'databases { name: "other" } records { migrations_dir: "sql" }')
  const { out } = await headwater(['migration', 'a', 'other', '--config', 'c.textproto'], { cwd: directory.path })
  expect(out).toMatch(/^sql\/other\/U[0-9]+__a\.sql\n$/)
  const unknown = await headwater(['migration', 'a', 'othre', '--config', 'c.textproto'], { cwd: directory.path })
  expect([unknown.code, unknown.err]).toEqual([78, expect.stringContaining('there is no database "othre"; did you mean "other"?')])
  expect(existsSync(join(directory.path, 'sql/othre'))).toBe(false)
  const name = await headwater(['migration', '../x', '--config', 'c.textproto'], { cwd: directory.path })
  expect([name.code, name.err]).toEqual([2, expect.stringContaining('expected a name of letters')])
})

test('flags before the command, with = or a blank; the one behind the command wins', async () => {
  const line = ['--data-dir=/tmp/one', '--public-url=http://127.0.0.1:4005', 'config', 'print', '--json', '--address=127.0.0.1:4005', '--runtime-threads=1', '--dev']
  const print = async (args: readonly string[]): Promise<unknown> => JSON.parse((await headwater(args)).out)
  expect(await print([...line, '--cors-allowed-origins', 'https://a.example', '--cors-allowed-origins=https://b.example'])).toMatchObject({
    depot: '/tmp/one',
    server: { url: 'http://127.0.0.1:4005', bind_address: '127.0.0.1:4005', runtime_threads: 1, dev: true },
    http: { cors_origins: ['https://a.example', 'https://b.example'] },
  })
  expect(await print(['--data-dir', '/tmp/one', 'config', 'print', '--json', '--depot', '/tmp/two'])).toMatchObject({ depot: '/tmp/two' })
})
