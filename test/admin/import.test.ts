/** Export and import together: what comes back, and that a bad archive changes nothing (B9). */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportArchive, type OnConflict } from '../../src/admin/export.ts'
import { importArchive } from '../../src/admin/import.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemIds } from '../../src/lib/ids.ts'
import { SmallStreams } from '../support/stream-admin.ts'

let spoolDir = ''
beforeEach(() => void (spoolDir = mkdtempSync(join(tmpdir(), 'headwater-import-'))))
afterEach(() => {
  expect(readdirSync(spoolDir)).toEqual([])
  rmSync(spoolDir, { recursive: true })
})

const bytes = (text: string) => new TextEncoder().encode(text)

async function exported(streams: SmallStreams, prefix = ''): Promise<Uint8Array> {
  return new Response(exportArchive(streams, { prefix, clock: systemClock })).bytes()
}

function imported(streams: SmallStreams, archive: Uint8Array, onConflict: OnConflict, importBytesMax = 1e9) {
  return importArchive(streams, bodyOf(archive), { onConflict, spoolDir, importBytesMax, ids: systemIds })
}

function bodyOf(archive: Uint8Array): ReadableStream<Uint8Array> {
  return new Blob([new Uint8Array(archive)]).stream()
}

function contents(streams: SmallStreams): Record<string, string> {
  return Object.fromEntries([...streams.held].map(([path, held]) => [path, Buffer.concat(held.records).toString()]))
}

function sample(): SmallStreams {
  const streams = new SmallStreams()
  streams.put('orders/1', [bytes('one'), bytes('two')])
  streams.put('orders/2', [])
  streams.put('users/1', [new Uint8Array(3_000_000).fill(7), bytes('end')])
  for (let i = 0; i < 600; i++) streams.put(`many/${String(i).padStart(3, '0')}`, [bytes(String(i))])
  return streams
}

describe('import', () => {
  test('brings back what was exported, records and offsets', async () => {
    const from = sample()
    const to = new SmallStreams()
    const result = await imported(to, await exported(from), 'fail')
    expect(result).toMatchObject({ streams: 603, installed: 603, skipped: 0, records: 604 })
    expect(contents(to)).toEqual(contents(from))
    expect(to.info('users/1')).toMatchObject({ tail: from.info('users/1')?.tail ?? '' })
    expect(to.stagedCount).toBe(0)
  })

  test('a prefix selects', async () => {
    const to = new SmallStreams()
    await imported(to, await exported(sample(), 'orders/'), 'fail')
    expect(Object.keys(contents(to))).toEqual(['orders/1', 'orders/2'])
  })

  test('B9: no damage to the archive touches what is there, whatever the conflict rule', async () => {
    const archive = await exported(sample(), 'orders/')
    for (const onConflict of ['fail', 'skip', 'replace'] as const) {
      for (let at = 0; at < archive.length - 1; at += 7) {
        const to = new SmallStreams()
        to.put('orders/1', [bytes('mine')])
        const bad = new Uint8Array(archive)
        bad[at] = (bad[at] ?? 0) ^ 4
        await expect(imported(to, bad, onConflict)).rejects.toMatchObject({ code: 'invalid_archive' })
        await expect(imported(to, archive.subarray(0, at), onConflict)).rejects.toMatchObject({ code: 'invalid_archive' })
        expect(contents(to)).toEqual({ 'orders/1': 'mine' })
        expect(to.stagedCount).toBe(0)
      }
    }
  })

  test('fail names what exists and writes nothing; skip keeps; replace replaces', async () => {
    const archive = await exported(sample(), 'orders/')
    const to = new SmallStreams()
    to.put('orders/1', [bytes('mine')])
    await expect(imported(to, archive, 'fail')).rejects.toThrow('orders/1 exist')
    expect(contents(to)).toEqual({ 'orders/1': 'mine' })
    expect(await imported(to, archive, 'skip')).toMatchObject({ installed: 1, skipped: 1 })
    expect(contents(to)).toEqual({ 'orders/1': 'mine', 'orders/2': '' })
    expect(await imported(to, archive, 'replace')).toMatchObject({ installed: 2, skipped: 0 })
    expect(contents(to)).toEqual({ 'orders/1': 'onetwo', 'orders/2': '' })
  })

  test('an archive above the limit is refused', async () => {
    const archive = await exported(sample(), 'users/')
    await expect(imported(new SmallStreams(), archive, 'fail', 1_000_000)).rejects.toMatchObject({ code: 'body_too_large' })
  })
})

describe('export', () => {
  test('goes to the tail of its moment: later appends are left to the next export', async () => {
    const from = new SmallStreams()
    from.put('s', Array.from({ length: 400 }, () => new Uint8Array(2000)))
    const reader = exportArchive(from, { prefix: '', clock: systemClock }).getReader()
    const parts = [(await reader.read()).value ?? bytes('')]
    from.append('s', bytes('late'))
    for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value)
    const to = new SmallStreams()
    await imported(to, Buffer.concat(parts), 'fail')
    expect(to.info('s')?.bytes).toBe(800_000)
  })

  test('a stream that is deleted meanwhile, even created again, is left out', async () => {
    for (const again of [false, true]) {
      const from = new SmallStreams()
      from.put('a', Array.from({ length: 400 }, () => new Uint8Array(2000)))
      from.put('b', [bytes('stays')])
      const reader = exportArchive(from, { prefix: '', clock: systemClock }).getReader()
      const parts = [(await reader.read()).value ?? bytes('')]
      from.held.delete('a')
      if (again) from.put('a', Array.from({ length: 400 }, () => new Uint8Array(2000)))
      for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value)
      const to = new SmallStreams()
      expect(await imported(to, Buffer.concat(parts), 'fail')).toMatchObject({ streams: 1, installed: 1 })
      expect(contents(to)).toEqual({ b: 'stays' })
      expect(to.stagedCount).toBe(0)
    }
  })

  test('a store that ends early breaks the archive off instead of forging it', async () => {
    const from = sample()
    from.held.get('orders/1')?.records.pop()
    await expect(exported(from, 'orders/')).rejects.toThrow('end before its tail')
  })
})
