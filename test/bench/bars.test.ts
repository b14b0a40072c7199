/** The bars judge medians, say what was not measured, and let no row with errors pass. */
import { expect, test } from 'bun:test'
import { judge } from '../../scripts/bench/bars.ts'
import { Results } from '../../scripts/bench/results.ts'
import type { Sample } from '../../scripts/bench/sample.ts'

const sample = (rate: number, rest: Partial<Sample> = {}): Sample => ({
  rate,
  perCpuSecond: rate,
  p50Ms: 1,
  p99Ms: 10,
  ackP99Ms: 8,
  residentMiB: 100,
  otherCpuShare: 0,
  errors: 0,
  ...rest,
})

function verdict(results: Results, title: string): boolean | undefined {
  const bar = judge(results).find(one => one.title === title)
  if (!bar) throw new Error(`there is no bar called ${title}`)
  return bar.met
}

test('a ratio of medians meets its bar or does not', () => {
  const results = new Results()
  const title = 'acid: appends, 64 connections, 1 stream, to reference memory'
  expect(verdict(results, title)).toBeUndefined()
  for (const rate of [10, 1500, 1600]) results.add('append-64x1', 'acid', sample(rate))
  results.add('append-64x1', 'reference memory', sample(1000))
  expect(verdict(results, title)).toBe(true)
  results.add('append-64x1', 'reference memory', sample(1100))
  expect(verdict(results, title)).toBe(false)
})

test('a row with errors of ours meets nothing, however fast', () => {
  const results = new Results()
  results.add('batch', 'acid', sample(9000, { errors: 1 }))
  results.add('batch', 'reference memory', sample(1000))
  expect(verdict(results, 'acid: batches of 100, to reference memory')).toBe(false)
})

test('latencies and single figures have upper bars', () => {
  const results = new Results()
  results.add('append-64x1', 'acid', sample(1, { p99Ms: 15.1 }))
  expect(verdict(results, 'acid: append p99 at 64 connections, 1 stream')).toBe(false)
  results.add('deliver', 'acid', sample(1, { p99Ms: 12, ackP99Ms: 8 }))
  expect(verdict(results, "acid: delivery p99 to the commit's p99")).toBe(true)
  results.facts.set('rss acid', 199)
  expect(verdict(results, 'acid: RSS after the whole suite')).toBe(true)
})
