/** `headwater sql`, `import`, `export`, `schema`, `openapi` and `config reload` as processes: on a depot alone, and beside its server. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstAdminNotice, headwater, temporaryDirectory, type CliOptions } from '../support/cli.ts'
import { startServer, type Server } from '../support/server.ts'

// Each command is a process; on a busy machine they take their time.
setDefaultTimeout(60_000)

const odd = `INSERT INTO odd (i, r, t, b, u, a) VALUES
  (9223372036854775807, 0.1, '', x'', x'0190b5e27b0070008000000000000001', 1.0),
  (-9223372036854775808, 9e999, 'a "q", b' || char(10) || char(13, 10) || 'c', x'00ff0a22', NULL, 1),
  (0, 1, 'ü 漢 🦄', x'27', NULL, '1'), (1, NULL, NULL, NULL, NULL, NULL), (2, 1e21, 'NULL', x'4e554c4c', NULL, -5e-324)`

const same = `SELECT count(*) FROM (SELECT i, r, t, b, u, a, typeof(a) FROM odd EXCEPT SELECT i, r, t, b, u, a, typeof(a) FROM copy)
  UNION ALL SELECT count(*) FROM (SELECT i, r, t, b, u, a, typeof(a) FROM copy EXCEPT SELECT i, r, t, b, u, a, typeof(a) FROM odd)`

function makeDepot(path: string): void {
  mkdirSync(join(path, 'migrations/main'), { recursive: true })
  const columns = 'id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, u BLOB CHECK (is_uuid(u)), a ANY'
  writeFileSync(join(path, 'migrations/main/U1800000000__a.sql'), `CREATE TABLE odd (${columns}) STRICT; CREATE TABLE copy (${columns}) STRICT; CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE CHECK (length(title) > 0)) STRICT;`)
  writeFileSync(join(path, 'config.textproto'), 'record_apis: [{ name: "posts" table_name: "post" acl_world: [READ, CREATE, SCHEMA] enable_subscriptions: true }]\n')
}

async function run(depot: string, args: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, out, err } = await headwater([...args, '--depot', depot], options)
  expect({ code, err }, args.join(' ')).toEqual({ code: 0, err: '' })
  return out
}

test('on a depot alone: a table of odd values through each form, unchanged', async () => {
  using directory = temporaryDirectory()
  const depot = join(directory.path, 'd')
  makeDepot(depot)
  const first = await headwater(['sql', odd, '--depot', depot])
  expect([first.code, first.err]).toEqual([0, expect.stringMatching(firstAdminNotice)])
  for (const format of ['csv', 'jsonl', 'sql']) {
    const file = join(directory.path, `odd.${format}`)
    expect(await run(depot, ['export', 'odd', '-o', file])).toContain('5 rows')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, format === 'sql' ? text.replaceAll('INTO "odd"', 'INTO copy') : text)
    expect(await run(depot, ['import', 'copy', file, ...(format === 'csv' ? ['--atomic'] : [])])).toBe('5 rows stored in copy\n')
    expect(await run(depot, ['sql', `${same}; DELETE FROM copy`, '--json'])).toBe('{"count(*)":0}\n{"count(*)":0}\n')
  }
})

describe('beside a server', () => {
  let server: Server
  let files: ReturnType<typeof temporaryDirectory>
  const command = (args: readonly string[], options: CliOptions = {}) => run(server.depot, args, options)
  const refused = async (args: readonly string[], options: CliOptions = {}) => {
    const { code, out, err } = await headwater([...args, '--depot', server.depot], options)
    expect({ code, out }, args.join(' ')).toEqual({ code: 1, out: '' })
    return err
  }

  beforeAll(async () => {
    files = temporaryDirectory()
    const depot = join(files.path, 'depot')
    makeDepot(depot)
    server = await startServer({ depot, mode: 'memory' })
  })

  afterAll(async () => {
    await server.close()
    files[Symbol.dispose]()
  })

  test('rows of a table, and what was done', async () => {
    expect(await command(['sql', `INSERT INTO post (id, title) VALUES (1, 'one'), (20, 'two')`])).toMatch(/^done \(transaction \d+\)\n$/)
    expect(await command(['sql', '-', '--read-only'], { stdin: 'SELECT id, title FROM post ORDER BY id' })).toBe('id  title\n 1  one\n20  two\n')
    expect(await command(['sql', '--json', `SELECT 9007199254740993 AS n, 1.5 AS n, x'ff' AS b, NULL AS z`])).toBe('{"n":9007199254740993,"n:1":1.5,"b":"/w==","z":null}\n')
    expect(await refused(['sql', 'DELETE FROM post', '--read-only'])).toContain('may not change anything')
    expect(await refused(['sql', `ATTACH 'x' AS y`])).toContain('statement_refused')
    const list = (await (await fetch(`${server.url}/api/records/v1/posts`)).json()) as { records: unknown[] }
    expect(list.records).toHaveLength(2)
  })

  test('subscribers hear of SQL and of imports', async () => {
    const stop = new AbortController()
    const response = await fetch(`${server.url}/api/records/v1/posts/subscribe/*`, { signal: stop.signal })
    let heard = ''
    const hearing = (async () => {
      for await (const chunk of response.body ?? []) {
        heard += new TextDecoder().decode(chunk)
        if (heard.includes('from SQL') && heard.includes('from CSV')) return
      }
    })()
    await command(['sql', `INSERT INTO post (title) VALUES ('from SQL')`])
    await command(['import', 'post', '-', '--format', 'csv'], { stdin: 'title\nfrom CSV\n' })
    await hearing
    stop.abort()
    expect(heard).toContain('Insert')
  })

  test('a mistake names its line; what stands before it is stored, and an import goes on from there', async () => {
    const path = join(files.path, 'many.csv')
    const lines = Array.from({ length: 2500 }, (_, i) => `${1000 + i},title ${i}`)
    writeFileSync(path, `id,title\n${lines.with(1700, '2700,').join('\n')}\n`)
    const error = await refused(['import', 'post', path])
    expect(error).toContain(`${path}:1702: NOT NULL constraint failed: post.title`)
    expect(error).toContain('1000 rows before line 1002 are stored. Mend the line, then go on with --from-line 1002.')
    writeFileSync(path, `id,title\n${lines.join('\n')}\n`)
    expect(await command(['import', 'post', path, '--from-line', '1002'])).toBe('1500 rows stored in post\n')
    expect(await command(['import', 'post', path, '--on-conflict', 'skip', '--json'])).toBe('{"table":"post","rows":2500,"stored":0}\n')
    expect(await command(['sql', 'SELECT count(*) AS n FROM post WHERE id >= 1000 AND id < 3500', '--json'])).toBe('{"n":2500}\n')
  })

  test('a line that cannot be read: the same; with --atomic nothing is stored', async () => {
    const stdin = '{"id":9001,"title":"a"}\n{"id":9002,"title":"b"}\n{"id":\n'
    expect(await refused(['import', 'post', '-', '--format', 'jsonl', '--atomic'], { stdin })).toContain('Nothing was stored')
    expect(await refused(['import', 'post', '-', '--format', 'jsonl', '--json'], { stdin })).toContain('"2 rows before line 3 are stored.')
    expect(await refused(['import', 'post', '-', '--format', 'jsonl', '--atomic'], { stdin: '{"title":"x"}\n{"title":"x"}\n' })).toContain('line 2: UNIQUE')
    expect(await refused(['import', 'pots', 'x.csv'], { cwd: files.path }).catch(() => 'usage')).toContain('usage')
    expect(await command(['sql', 'SELECT count(*) AS n FROM post WHERE id > 9000', '--json'])).toBe('{"n":2}\n')
  })

  test('schema, document, reload', async () => {
    expect(JSON.parse(await command(['schema', 'posts', '--mode', 'select']))).toMatchObject({ title: 'posts', required: ['id', 'title'] })
    expect(await refused(['schema', 'post'])).toContain('did you mean "posts"?')
    expect(JSON.parse(await command(['openapi', 'print', '--admin']))).toMatchObject({ openapi: '3.1.1', paths: { '/api/records/v1/posts': {}, '/control/sql': {}, '/api/_admin/query': {} } })
    writeFileSync(join(server.depot, 'config.textproto'), 'record_apis: [{ name: "articles" table_name: "post" acl_world: [READ] }]\n')
    expect(await command(['config', 'reload'])).toBe('applied: record_apis\n')
    expect((await fetch(`${server.url}/api/records/v1/articles?limit=1`)).status).toBe(200)
    writeFileSync(join(server.depot, 'config.textproto'), 'record_apis: [{ name: "articles" table_name: "nothing" }]\n')
    expect(await refused(['config', 'reload'])).toContain('The old configuration stays in force')
  })
})
