/** A stranger's first minutes with the program, in an empty directory: start, create, append, read, follow, restart, stop. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { headwater, temporaryDirectory } from '../support/cli.ts'
import { headwaterCommand } from '../support/command.ts'
import { freePort } from '../support/server.ts'

setDefaultTimeout(60_000)

const readyMsMax = 15_000

/** Runs `serve` in `cwd` with nothing but an address; resolves when it is ready. */
async function serve(cwd: string, port: number) {
  const child = Bun.spawn([...headwaterCommand(), 'serve', '--address', `127.0.0.1:${port}`], {
    cwd,
    env: { PATH: Bun.env['PATH'] ?? '', HOME: Bun.env['HOME'] ?? '' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const log = new Response(child.stderr).text()
  /** What is meant for the operator: the first administrator's password, once. */
  const told = new Response(child.stdout).text()
  const deadline = performance.now() + readyMsMax
  while (!(await fetch(`http://127.0.0.1:${port}/readyz`).then(answer => answer.ok, () => false))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`not ready (exit code ${child.exitCode}): ${await log}`)
    }
    await Bun.sleep(5)
  }
  return { child, log, told }
}

async function firstEvents(url: string, contains: string): Promise<string> {
  const response = await fetch(url)
  expect(response.headers.get('Content-Type')).toBe('text/event-stream')
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes(contains)) break
  }
  return text
}

test('start, create, append, read, follow, restart, data is there, stop', async () => {
  using directory = temporaryDirectory()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/v1/stream/orders/7`
  const json = { 'Content-Type': 'application/json' }
  const first = await serve(directory.path, port)
  try {
    const created = await fetch(url, { method: 'PUT', headers: json })
    expect(created.status).toBe(201)
    expect(created.headers.get('Location')).toBe(url)
    expect((await fetch(url, { method: 'POST', headers: json, body: '{"state":"placed"}' })).status).toBe(204)
    const following = firstEvents(`${url}?offset=-1&live=sse`, 'shipped')
    expect((await fetch(url, { method: 'POST', headers: json, body: '[{"state":"paid"},{"state":"shipped"}]' })).status).toBe(204)
    expect(await following).toContain('data:[{"state":"placed"}')
    expect(await (await fetch(url)).json()).toEqual([{ state: 'placed' }, { state: 'paid' }, { state: 'shipped' }])
    expect((await headwater(['stream', 'tail', 'orders/7'], { cwd: directory.path })).out).toContain('{"state":"paid"}\n')
  } finally {
    first.child.kill('SIGTERM')
    expect(await first.child.exited, await first.log).toBe(0)
  }
  expect(readdirSync(directory.path)).toEqual(['depot'])
  expect(readdirSync(join(directory.path, 'depot')).sort()).toEqual(['.gitignore', 'backups', 'config.textproto', 'data', 'migrations', 'secrets', 'uploads'])
  const password = /password: (\S{20})\n/.exec(await first.told)?.[1] ?? ''

  const second = await serve(directory.path, port)
  try {
    expect(await (await fetch(url)).json()).toEqual([{ state: 'placed' }, { state: 'paid' }, { state: 'shipped' }])
    const head = await fetch(url, { method: 'HEAD' })
    const next = head.headers.get('Stream-Next-Offset')
    const waiting = fetch(`${url}?offset=${next}&live=long-poll`)
    await fetch(url, { method: 'POST', headers: json, body: '{"state":"done"}' })
    expect(await (await waiting).json()).toEqual([{ state: 'done' }])
    const login = { email: 'admin@localhost', password }
    expect((await fetch(new URL('/api/auth/v1/login', url), { method: 'POST', headers: json, body: JSON.stringify(login) })).status).toBe(200)
    const check = await headwater(['health', '--ready'], { cwd: directory.path })
    expect(check).toMatchObject({ code: 0, out: 'ready\n' })
  } finally {
    second.child.kill('SIGTERM')
    expect(await second.child.exited, await second.log).toBe(0)
    expect(await second.told).not.toContain('password')
  }
})

test('a second server on the same depot, and a port that is taken, are refused with what to do', async () => {
  using directory = temporaryDirectory()
  const port = await freePort()
  const { child, log } = await serve(directory.path, port)
  try {
    const taken = await headwater(['serve', '--address', `127.0.0.1:${port}`, '--depot', 'other'], { cwd: directory.path })
    expect(taken.code).not.toBe(0)
    expect(taken.err).toContain(String(port))
    const same = await headwater(['serve', '--address', '127.0.0.1:0'], { cwd: directory.path })
    expect(same.code).not.toBe(0)
    expect(same.err).toContain('depot')
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)
  } finally {
    child.kill('SIGTERM')
    expect(await child.exited, await log).toBe(0)
  }
})
