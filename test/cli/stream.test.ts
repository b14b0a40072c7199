/** `headwater stream …` in its three ways: through the control socket of a running server, on the depot alone, and by URL. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { firstAdminNotice, headwater, temporaryDirectory, type CliOptions } from '../support/cli.ts'
import { startServer } from '../support/server.ts'

// Each command is a process; on a busy machine they take their time.
setDefaultTimeout(60_000)

const json = 'application/json'
const zero = '0000000000000000_0000000000000000'

/** Runs a stream command and expects success. */
async function stream(words: readonly string[], where: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, out, err } = await headwater(['stream', ...words, ...where], options)
  expect({ code, err: err.replace(firstAdminNotice, '') }, words.join(' ')).toEqual({ code: 0, err: '' })
  return out
}

async function refused(words: readonly string[], where: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, out, err } = await headwater(['stream', ...words, ...where], options)
  expect({ code, out }, words.join(' ')).toEqual({ code: 1, out: '' })
  return err
}

async function roundTrip(where: readonly string[]): Promise<void> {
  expect(await stream(['create', 'chat/a b', '--content-type', json], where)).toBe(`created chat/a b, tail ${zero}\n`)
  expect(await stream(['create', 'chat/a b', '--content-type', json], where)).toContain('exists already')
  await stream(['append', 'chat/a b', '{"n":12345678901234567890}'], where)
  await stream(['append', 'chat/a b', '--lines'], where, { stdin: '{"l":1}\n\n{"l":2}\n' })
  expect(await stream(['tail', 'chat/a b'], where)).toBe('{"n":12345678901234567890}\n{"l":1}\n{"l":2}\n')
  const bytes = crypto.getRandomValues(new Uint8Array(60_000))
  await stream(['create', 'raw'], where)
  const told = JSON.parse(await stream(['append', 'raw', '--json'], where, { stdin: bytes }))
  const read = await headwater(['stream', 'tail', 'raw', ...where])
  expect(Buffer.from(read.bytes).equals(bytes)).toBe(true)
  expect(JSON.parse(await stream(['tail', 'raw', '--json', '--offset', 'now'], where))).toMatchObject({ next_offset: told.tail, base64: '' })
  await stream(['create', 'chat/fork', '--fork', 'chat/a b'], where)
  await stream(['append', 'chat/fork', '--lines', '--close'], where, { stdin: '[3]' })
  expect(await stream(['tail', 'chat/fork', '--follow'], where)).toEndWith('{"l":2}\n[3]\n')
  expect(await refused(['append', 'chat/fork', '4'], where)).toContain('409')
  expect(await stream(['rm', 'chat/fork', 'raw'], where)).toBe('removed chat/fork\nremoved raw\n')
  expect(await refused(['tail', 'raw'], where)).toContain('headwater stream ls')
}

describe('stream', () => {
  test('through the control socket of a running server, and by URL', async () => {
    await using server = await startServer({ mode: 'acid' })
    await roundTrip(['--depot', server.depot])
    const seen = await fetch(`${server.base}/chat/a%20b`)
    expect(await seen.text()).toContain('12345678901234567890')
    await stream(['rm', 'chat/a b'], ['--depot', server.depot])
    await roundTrip(['--url', server.url])
    expect((await headwater(['health', '--ready', '--depot', server.depot])).out).toBe('ready\n')
    expect((await headwater(['health', '--url', server.url])).code).toBe(0)
  })

  test('on the depot alone when no server runs, also after one was killed', async () => {
    using directory = temporaryDirectory()
    const depot = join(directory.path, 'depot')
    await roundTrip(['--depot', depot])
    await using server = await startServer({ mode: 'acid', depot })
    await stream(['create', 'later'], ['--depot', depot])
    await server.kill()
    expect(await stream(['ls'], ['--depot', depot])).toMatch(/^PATH +CONTENT TYPE +SIZE +TAIL\nchat\/a b +application\/json .*\nlater .*\n$/)
  })

  test('follow prints what comes, and ends when the stream is closed', async () => {
    await using server = await startServer({ mode: 'memory' })
    const where = ['--depot', server.depot]
    await stream(['create', 'log', '--content-type', 'text/plain', '--data', 'old\n'], where)
    const following = headwater(['stream', 'tail', 'log', '--follow', '--offset', 'now', ...where])
    await Bun.sleep(700)
    await stream(['append', 'log', 'new\n'], where)
    await stream(['append', 'log', '--lines', '--close'], where, { stdin: 'last' })
    expect(await following).toMatchObject({ code: 0, out: 'new\nlast\n', err: '' })
  })

  test('ls pages, filters and prints JSON', async () => {
    await using server = await startServer({ mode: 'memory' })
    const where = ['--depot', server.depot]
    for (const path of ['b/1', 'a/2', 'a/1', 'c']) await fetch(`${server.base}/${path}`, { method: 'PUT', headers: { 'Stream-TTL': '60' } })
    const paths = (text: string) => text.trimEnd().split('\n').map(line => JSON.parse(line).path)
    expect(paths(await stream(['ls', '--json'], where))).toEqual(['a/1', 'a/2', 'b/1', 'c'])
    expect(paths(await stream(['ls', 'a/', '--json'], where))).toEqual(['a/1', 'a/2'])
    expect(paths(await stream(['ls', '--json', '--limit', '3'], where))).toEqual(['a/1', 'a/2', 'b/1'])
    expect(await stream(['ls', 'c'], where)).toContain('ttl 60s')
    expect(await stream(['ls', 'none/'], where)).toMatch(/^PATH .*\n$/)
  })
})

describe('export and import', () => {
  test('keep offsets, settings, producers and Stream-Seq from one depot to another, whatever the mode', async () => {
    using directory = temporaryDirectory()
    const archive = join(directory.path, 'all.jsonl')
    await using source = await startServer({ mode: 'acid' })
    const put = (path: string, headers: Record<string, string>, body?: string) => fetch(`${source.base}/${path}`, { method: 'PUT', headers, ...(body === undefined ? {} : { body }) })
    const post = (path: string, headers: Record<string, string>, body: string) => fetch(`${source.base}/${path}`, { method: 'POST', headers, body })
    await put('x/json', { 'Content-Type': json, 'Stream-TTL': '18446744073709551615' }, '[1,2]')
    const producer = { 'Content-Type': json, 'Producer-Id': 'p', 'Producer-Epoch': '3', 'Producer-Seq': '0', 'Stream-Seq': '7' }
    expect((await post('x/json', producer, '{"a":[3]}')).status).toBe(200)
    await put('x/fork', { 'Stream-Forked-From': '/v1/stream/x/json', 'Content-Type': json }, '[4]')
    await put('x/closed', { 'Content-Type': 'text/plain', 'Stream-Closed': 'true', 'Stream-Expires-At': '2099-01-01T00:00:00Z' }, 'all')
    await put('y', {})
    expect(await stream(['export', 'x/', '--output', archive], ['--depot', source.depot])).toContain('3 streams')
    expect(readdirSync(directory.path)).toEqual(['all.jsonl'])

    await using target = await startServer({ mode: 'file-durable' })
    const where = ['--depot', target.depot]
    const told = JSON.parse(await stream(['import', archive, '--json'], where))
    expect(told).toMatchObject({ installed: 3, skipped: 0, streams: 3 })
    for (const restarted of [false, true]) {
      if (restarted) await target.restart()
      for (const path of ['x/json', 'x/fork', 'x/closed']) {
        const [from, to] = await Promise.all([source, target].map(server => fetch(`${server.base}/${path}`)))
        expect(await to?.text(), path).toBe((await from?.text()) ?? '')
        for (const name of ['Content-Type', 'Stream-Next-Offset', 'Stream-Closed', 'Stream-Up-To-Date']) expect(to?.headers.get(name), path).toBe(from?.headers.get(name) ?? null)
        const [headFrom, headTo] = await Promise.all([source, target].map(server => fetch(`${server.base}/${path}`, { method: 'HEAD' })))
        for (const name of ['Stream-TTL', 'Stream-Expires-At']) expect(headTo?.headers.get(name), path).toBe(headFrom?.headers.get(name) ?? null)
      }
    }
    const again = await fetch(`${target.base}/x/json`, { method: 'POST', headers: producer, body: '{"a":[3]}' })
    expect(again.status).toBe(204)
    const stale = await fetch(`${target.base}/x/json`, { method: 'POST', headers: { 'Content-Type': json, 'Stream-Seq': '6' }, body: '1' })
    expect(stale.status).toBe(409)
    expect((await fetch(`${target.base}/y`)).status).toBe(404)
  })

  test('B9: a damaged, cut or foreign archive changes nothing; conflicts do what was asked', async () => {
    using directory = temporaryDirectory()
    const file = join(directory.path, 'a.jsonl')
    await using server = await startServer({ mode: 'acid' })
    const where = ['--depot', server.depot]
    await stream(['create', 's', '--content-type', 'text/plain', '--data', 'first'], where)
    await stream(['export', '--output', file], where)
    await stream(['append', 's', ' second'], where)
    const archive = await Bun.file(file).text()
    for (const bad of [archive.slice(0, -40), archive.replace('Zmlyc3Q=', 'Zmlyc3R='), archive.replace('Zmlyc3Q=', 'bGFzdCE='), 'hello', '', '{}\n', archive + archive]) {
      for (const rule of ['replace', 'skip', 'fail']) {
        const err = await refused(['import', '-', '--on-conflict', rule], where, { stdin: bad })
        expect(err).toContain('400')
      }
    }
    expect(await stream(['tail', 's'], where)).toBe('first second')
    expect(await refused(['import', file], where)).toContain('409')
    expect(await stream(['import', file, '--on-conflict', 'skip'], where)).toContain('installed 0 streams, skipped 1')
    expect(await stream(['tail', 's'], where)).toBe('first second')
    expect(await stream(['import', file, '--on-conflict', 'replace'], where)).toContain('installed 1 streams')
    expect(await stream(['tail', 's'], where)).toBe('first')
  })

  test('an export to a pipe is the archive itself, and works without a server', async () => {
    using directory = temporaryDirectory()
    const where = ['--depot', join(directory.path, 'depot')]
    await stream(['create', 'only', '--data', 'x'], where)
    const archive = await stream(['export'], where)
    expect(archive.trimEnd().split('\n').at(-1)).toStartWith('{"end":{"streams":1,"records":1,"bytes":1,')
    await stream(['rm', 'only'], where)
    await stream(['import', '-'], where, { stdin: archive })
    expect(await stream(['tail', 'only'], where)).toBe('x')
  })
})
