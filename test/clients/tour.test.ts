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
const readyMsMax = 60_000
/** After this a shell and what it became end, so that nothing is left of a tour that hangs. */
const shellMsMax = 150_000

test('the tour of the README', async () => {
  const port = await freePort()
  const [setUp = '', tour = '', ...more] = blocksBelow(readFileSync(join(repository, 'README.md'), 'utf8'), heading)
  expect(more).toEqual([])
  const server = shell(setUp, port)
  try {
    await untilReady(port)
    const said = await typed(tour.replaceAll('127.0.0.1:4437', `127.0.0.1:${port}`), port)
    expect(said).toContain('{"ids":["1"],')
    expect(said).toContain('{"ids":["2","3"],')
    expect(said).toMatch(/^.*403$/m)
    expect(said).toMatch(/"total_count":1,"records":\[\{"id":3,"author":"[^"]+","text":"Tour the south","done":0\}\]/)
    expect(said).toContain('{"groups":[{"done":0,"count":2},{"done":1,"count":1}]}')
    expect(eventsIn(said)).toEqual(['Insert 1', 'Insert 2', 'Insert 3', 'Update 1'])
  } finally {
    server.kill('SIGTERM')
    await server.exited
  }
}, 180_000)

/** The `sh` blocks of one section. */
function blocksBelow(page: string, title: string): string[] {
  const from = page.indexOf(`${title}\n`)
  expect(from).toBeGreaterThan(0)
  const end = page.indexOf('\n## ', from)
  return [...page.slice(from, end).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
}

/** What a shell prints where somebody types `tour`, goes on when the reader of changes in the background is there, and ends it when it printed all. */
async function typed(tour: string, port: number): Promise<string> {
  const cut = tour.indexOf('\n', tour.indexOf('follow=snapshot')) + 1
  expect(cut).toBeGreaterThan(1)
  const wait = (name: string) => `until [ -e ${name} ]; do sleep 0.05; done\n`
  // With -m the reader in the background has a group of its own, and %1 is it.
  const child = shell(`set -m\n${tour.slice(0, cut)}${wait('go')}${tour.slice(cut)}${wait('end')}kill %1`, port)
  let said = ''
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text
    if (said.includes('"Snapshot"')) writeFileSync(join(directory, 'go'), '')
    if (eventsIn(said).length >= 4) writeFileSync(join(directory, 'end'), '')
  }
  return said
}

function eventsIn(said: string): readonly string[] {
  return [...said.matchAll(/data: \{"(Insert|Update)":\{"id":(\d)/g)].map(([, kind, id]) => `${kind} ${id}`)
}

/** A shell in an empty directory that finds `headwater` on its path. The last command takes the place of the shell, so that it can be ended. */
function shell(text: string, port: number): Bun.Subprocess<'ignore', 'pipe', 'ignore'> {
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'headwater'), `#!/bin/sh\nexec ${headwaterCommand().join(' ')} "$@" --address 127.0.0.1:${port}\n`)
  chmodSync(join(bin, 'headwater'), 0o755)
  const env = { PATH: `${bin}:${Bun.env.PATH}`, HOME: directory }
  return Bun.spawn({ cmd: ['bash', '-c', text.replace(/^headwater serve/m, 'exec headwater serve')], cwd: directory, env, stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', timeout: shellMsMax })
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
