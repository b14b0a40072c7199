/** The tour of README.md, command by command as they stand there: only the port is another one. */
import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { headwaterCommand, repository } from '../support/command.ts'
import { freePort } from '../support/server.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-tour-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const heading = '## A record API in five minutes'
const readyMsMax = 20_000

test('the tour of the README', async () => {
  const startedMs = performance.now()
  const port = await freePort()
  const [setUp = '', tour = '', ...more] = blocksBelow(readFileSync(join(repository, 'README.md'), 'utf8'), heading)
  expect(more).toEqual([])
  const server = shell(setUp, port)
  try {
    await untilReady(port)
    // The reader of changes in the background ends with the shell's group.
    const said = await new Response(shell(`set -m\n${tour.replaceAll('127.0.0.1:4437', `127.0.0.1:${port}`)}\nsleep 0.3\nkill %1`, port).stdout).text()
    expect(said).toContain('{"ids":["1"],')
    expect(said).toContain('{"ids":["2","3"],')
    expect(said).toMatch(/^.*403$/m)
    expect(said).toMatch(/"total_count":1,"records":\[\{"id":3,"author":"[^"]+","text":"Tour the south","done":0\}\]/)
    expect(said).toContain('{"groups":[{"done":0,"count":2},{"done":1,"count":1}]}')
    const events = [...said.matchAll(/data: \{"(Insert|Update)":\{"id":(\d)/g)].map(([, kind, id]) => `${kind} ${id}`)
    expect(events).toEqual(['Insert 1', 'Insert 2', 'Insert 3', 'Update 1'])
    expect(performance.now() - startedMs).toBeLessThan(5 * 60_000)
  } finally {
    server.kill('SIGTERM')
    await server.exited
  }
}, 60_000)

/** The `sh` blocks of one section. */
function blocksBelow(page: string, title: string): string[] {
  const from = page.indexOf(`${title}\n`)
  expect(from).toBeGreaterThan(0)
  const end = page.indexOf('\n## ', from)
  return [...page.slice(from, end).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
}

/** A shell in an empty directory that finds `headwater` on its path. The last command takes the place of the shell, so that it can be ended. */
function shell(text: string, port: number): Bun.Subprocess<'ignore', 'pipe', 'ignore'> {
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'headwater'), `#!/bin/sh\nexec ${headwaterCommand().join(' ')} "$@" --address 127.0.0.1:${port}\n`)
  chmodSync(join(bin, 'headwater'), 0o755)
  const env = { PATH: `${bin}:${Bun.env.PATH}`, HOME: directory }
  return Bun.spawn({ cmd: ['bash', '-c', text.replace(/^headwater serve/m, 'exec headwater serve')], cwd: directory, env, stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' })
}

async function untilReady(port: number): Promise<void> {
  const deadlineMs = performance.now() + readyMsMax
  while (performance.now() < deadlineMs) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
    if (answer?.status === 200) return
    await Bun.sleep(20)
  }
  throw new Error('the server of the tour is not ready')
}
