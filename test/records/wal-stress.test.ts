/** Eight more connections of other processes checkpoint, read and write the file of a store that is writing: nothing acknowledged is lost, and the file is whole (field.md B26). */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { makeDepot } from '../support/depot.ts'

setDefaultTimeout(60_000)

const processes = 4
const workMs = 2000
const groupsTogether = 8

/** Each process has two connections: one reads and copies the log in every way there is, one writes rows of its own. Prints how many it wrote. */
const neighbour = `
import { Database } from 'bun:sqlite'
const [path, number, ms] = process.argv.slice(-3)
const reader = new Database(path), writer = new Database(path)
for (const db of [reader, writer]) db.run('PRAGMA busy_timeout = 20000')
const insert = writer.prepare('INSERT INTO entry (who, text) VALUES (?, ?)')
const modes = ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']
const endMs = Date.now() + Number(ms)
let written = 0
for (let turn = 0; Date.now() < endMs; turn++) {
  const { n, sum } = reader.query('SELECT count(*) AS n, sum(length(text)) AS sum FROM entry').get()
  if (n > 0 && sum < n) throw new Error('a row without text')
  try {
    reader.run('PRAGMA wal_checkpoint(' + modes[turn % modes.length] + ')')
    if (turn % 4 === 0) { insert.run(number, 'x'.repeat(1 + (turn * 797) % 4000)); written++ }
  } catch (error) {
    if (!String(error.code).startsWith('SQLITE_BUSY')) throw error
  }
}
console.log(written)
`

test('a log that everybody resets loses nothing', async () => {
  await using depot = await makeDepot({ sql: 'CREATE TABLE entry (id INTEGER PRIMARY KEY, who TEXT, text TEXT NOT NULL) STRICT; CREATE INDEX entry_text ON entry (text);' })
  const neighbours = Array.from({ length: processes }, (_, number) =>
    Bun.spawn({ cmd: [process.execPath, '-e', neighbour, depot.path, `n${number}`, String(workMs)], stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' }),
  )
  let acknowledged = 0
  const endMs = performance.now() + workMs
  const write = async () => {
    while (performance.now() < endMs) {
      const sql = "INSERT INTO entry (who, text) VALUES ('store', ?1)"
      const result = await depot.store.write('main', { steps: [{ kind: 'run', atLeast: 1, sql, params: ['y'.repeat(1 + ((acknowledged * 313) % 3000))] }] })
      expect(result.ok).toBeTrue()
      acknowledged++
    }
  }
  await Promise.all(Array.from({ length: groupsTogether }, write))
  const said = await Promise.all(neighbours.map(async child => ({ written: Number(await new Response(child.stdout).text()), err: await new Response(child.stderr).text(), code: await child.exited })))
  expect(said.map(({ code, err }) => [code, err])).toEqual(said.map(() => [0, '']))
  expect(depot.fenced).toEqual([])
  expect(acknowledged).toBeGreaterThan(20)
  expect(depot.rows('PRAGMA integrity_check')).toEqual([['ok']])
  const found = new Map(depot.rows('SELECT who, count(*) FROM entry GROUP BY who').map(([who, count]) => [String(who), Number(count)]))
  expect(found.get('store')).toBe(acknowledged)
  for (const [number, { written }] of said.entries()) expect(found.get(`n${number}`) ?? 0).toBe(written)
})
