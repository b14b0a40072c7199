/** Flipped, cut off and overwritten bytes in every file, after a stop and after a kill: `check` tells, and readers get what was written or a refusal (field survey R4, R5). */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { checkStore } from '../../../src/streams/store/check.ts'
import { Random } from '../../crash/random.ts'
import { digestOf, filesOf, makeStore, served, type Served } from '../../support/damaged-store.ts'

setDefaultTimeout(600_000)

const root = mkdtempSync(join(tmpdir(), 'headwater-damage-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const seed = Number(Bun.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const casesPerStore = Number(Bun.env['DAMAGE_CASES'] ?? 40)
const totals = { cases: 0, told: 0, noted: 0, unused: 0, opened: 0, streamsRefused: 0, streamsWhole: 0 }
afterAll(() => console.log(`damage: ${Object.entries(totals).map(([name, count]) => `${count} ${name}`).join(', ')} (seed ${seed})`))

describe.each(['acid', 'file-durable'] as const)('%s', mode => {
  const stopped = join(root, mode, 'stopped')
  const killed = join(root, mode, 'killed')
  let truth: Served
  beforeAll(async () => {
    await makeStore(mode, stopped, killed)
    truth = await servedCopy(mode, stopped)
    expect(truth).toMatchObject({ kind: 'streams' })
  })

  test.each([
    ['stopped', stopped],
    ['killed', killed],
  ])('%s and whole: nothing is told, nothing is changed, everything is served', async (_, directory) => {
    const before = digestOf(directory)
    const report = await checkStore(directory, () => {})
    expect(report.problems).toEqual([])
    expect(report.notes).toEqual([])
    expect(report.streams).toBe(10)
    expect(digestOf(directory)).toBe(before)
    expect(await servedCopy(mode, directory)).toEqual(truth)
  })

  test.each([
    ['stopped', stopped],
    ['killed', killed],
  ])(`%s and damaged: told, or no difference (seed ${seed})`, async (name, directory) => {
    const random = new Random(seed)
    const copy = `${directory}-copy`
    for (let index = 0; index < casesPerStore; index++) {
      cpSync(directory, copy, { recursive: true })
      const what = damageOne(copy, random)
      const report = await checkStore(copy, () => {})
      const result = await served(mode, copy)
      judge(`${mode}, ${name}, ${what}`, report, result, truth)
      rmSync(copy, { recursive: true, force: true }) // a writer that gave up may still be putting its files away
    }
  })
})

/** Changes one file of the store; returns how. */
function damageOne(directory: string, random: Random): string {
  const path = random.pick(filesOf(directory)) ?? ''
  const size = statSync(path).size
  const at = random.between(0, size - 1)
  const kind = random.pick(['bit', 'bit', 'bit', 'page', 'cut'] as const)
  if (kind === 'cut') truncateSync(path, at)
  else {
    const bytes = readFileSync(path)
    if (kind === 'bit') bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7))
    else bytes.fill(random.between(0, 255), at, Math.min(bytes.length, at + random.between(2, 4096)))
    writeFileSync(path, bytes)
  }
  return `${basename(path)}: ${kind} at ${at} of ${size}`
}

function judge(what: string, report: { readonly problems: readonly unknown[]; readonly notes: readonly unknown[] }, result: Served, truth: Served): void {
  const told = report.problems.length > 0
  const noted = report.notes.length > 0
  totals.cases++
  if (told) totals.told++
  else if (noted) totals.noted++
  else totals.unused++
  if (!told && !noted) expect(result, what).toEqual(truth)
  if (result.kind === 'refused') return void expect(told, `${what}: ${result.message}`).toBe(true)
  totals.opened++
  if (truth.kind !== 'streams') throw new Error('the whole store is served')
  for (const [id, got] of result.of.entries()) {
    if (got === truth.of[id]) totals.streamsWhole++
    else if (got === 'damaged') totals.streamsRefused++
    // Everything else differs from what was written: only what no reader can tell from a write that was cut off, and a name that is not found.
    else expect(noted || (told && got === 'missing'), `${what}: stream ${id} is ${got}; ${JSON.stringify(report)}`).toBe(true)
  }
}

async function servedCopy(mode: 'acid' | 'file-durable', directory: string): Promise<Served> {
  const copy = `${directory}-whole`
  cpSync(directory, copy, { recursive: true })
  try {
    return await served(mode, copy)
  } finally {
    rmSync(copy, { recursive: true })
  }
}
