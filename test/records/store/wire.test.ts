/** Programs and outcomes through shared memory and back: every value as it was. */
import { describe, expect, test } from 'bun:test'
import type { Param, Program, Step } from '../../../src/storage/program.ts'
import type { ProgramOutcome } from '../../../src/storage/program-runner.ts'
import { decodeOutcomes, OutcomeEncoder, ProgramDecoder, ProgramEncoder } from '../../../src/records/store/wire.ts'
import { Database } from 'bun:sqlite'

const values: readonly Param[] = [
  null, 0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 70n), 0, -0, 1.5, -1e300, Number.NaN, Infinity, 5e-324, 9007199254740993,
  '', 'a', 'ä', '€', '𝄞', 'a\0b', '\ud800', 'x\udc00y', '\uFEFF', 'x'.repeat(1023), 'ß'.repeat(1024), '𝄞'.repeat(70_000),
  new Uint8Array(0), new Uint8Array([0, 255]), new Uint8Array(100_000).fill(7), new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  { rowsOf: [] }, { rowsOf: [0, 7] },
]

describe('a group', () => {
  test('comes out as it went in, however often', () => {
    const encoder = new ProgramEncoder()
    const decoder = new ProgramDecoder()
    const random = randoms(1)
    for (let round = 0; round < 200; round++) {
      const programs = listOf(random, 6, () => programOf(random))
      const decoded = decoder.decode(encoder.encode(programs, round * 1e6))
      expect(kept(decoded.programs)).toEqual(kept(programs))
      expect(decoded.bytes).toBe(round * 1e6)
    }
  })

  test('may use more texts than are remembered', () => {
    const encoder = new ProgramEncoder()
    const decoder = new ProgramDecoder()
    for (let from = 0; from < 12_000; from += 1500) {
      const programs = Array.from({ length: 1500 }, (_, i): Program => ({ steps: [{ kind: 'expect', sql: `SELECT ${from + i}`, params: [] }, { kind: 'expect', sql: 'SELECT 1', params: [] }] }))
      expect(decoder.decode(encoder.encode(programs, 0)).programs).toEqual(programs)
    }
  })

  test('is bound to statements where it lies', () => {
    const { programs } = new ProgramDecoder().decode(new ProgramEncoder().encode([{ steps: [{ kind: 'expect', sql: '', params: [new Uint8Array([1, 2, 3]), new Uint8Array(0), 'ä'] }] }], 0))
    using db = new Database(':memory:')
    using statement = db.prepare('SELECT ?1, typeof(?2) || length(?2), ?3')
    const params = (programs[0]?.steps[0]?.params ?? []) as (Uint8Array | string)[]
    expect(params[0] instanceof Uint8Array && params[0].buffer instanceof SharedArrayBuffer).toBe(true)
    expect(statement.values(...params)).toEqual([[new Uint8Array([1, 2, 3]), 'blob0', 'ä']])
  })
})

describe('outcomes', () => {
  test('come out as they went in, and stay when the memory is written again', () => {
    const encoder = new OutcomeEncoder()
    const random = randoms(2)
    const rounds = Array.from({ length: 100 }, () => {
      const outcomes = listOf(random, 5, () => outcomeOf(random))
      return { outcomes, decoded: decodeOutcomes(encoder.encode(outcomes), outcomes.length) }
    })
    for (const { outcomes, decoded } of rounds) expect(kept(decoded)).toEqual(kept(outcomes))
  })
})

function programOf(random: (below: number) => number): Program {
  return { steps: listOf(random, 5, () => stepOf(random)) }
}

function stepOf(random: (below: number) => number): Step {
  const statement = { sql: `SELECT ${random(9)}, 'ä'`, params: listOf(random, 6, () => one(random, values)) }
  switch (random(4)) {
    case 0:
      return { kind: 'run', atLeast: random(3), ...statement }
    case 1:
      return { kind: 'match', tags: listOf(random, 3, () => one(random, ['*', '', 'tag', '\ud800'])), ...statement }
    case 2:
      return { kind: 'expect', ...statement }
    default:
      return { kind: 'stopAt', ...statement }
  }
}

function outcomeOf(random: (below: number) => number): ProgramOutcome {
  const plain = values.filter(value => value === null || typeof value !== 'object' || value instanceof Uint8Array)
  switch (random(6)) {
    case 0:
      return { ok: false, step: random(200), why: 'unmet' }
    case 1:
      return { ok: false, step: 0, why: { errno: one(random, [1, 275, 2067, -1]), message: one(random, ['', 'near "ä": syntax error']) } }
    case 2:
      return { ok: null, why: one(random, ['full', 'busy']), message: 'why' }
    default: {
      const rows = listOf(random, 4, () => listOf(random, 3, () => listOf(random, 4, () => one(random, plain))))
      return { ok: true, txn: one(random, [0, 1, 2 ** 53 - 1]), rows, changes: rows.map(() => random(5)), stoppedAt: one(random, [null, 0, 3]) }
    }
  }
}

/** Bytes as plain arrays, and zeros with their sign: what equality must see. */
function kept(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (typeof value === 'number') return Object.is(value, -0) ? 'minus zero' : value
  if (Array.isArray(value)) return value.map(kept)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, kept(each)]))
  return value
}

function listOf<Item>(random: (below: number) => number, max: number, make: () => Item): Item[] {
  return Array.from({ length: random(max + 1) }, make)
}

function one<Item>(random: (below: number) => number, items: readonly Item[]): Item {
  const item = items[random(items.length)]
  if (item === undefined) throw new Error('there is one')
  return item
}

function randoms(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
