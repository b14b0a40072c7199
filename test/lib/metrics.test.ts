/** What is counted and how it is written out: kinds, labels, buckets, and the bound on series. */
import { describe, expect, test } from 'bun:test'
import { Metrics, seriesPerFamilyMax } from '../../src/lib/metrics.ts'

/** The sample lines of a family. */
function samples(metrics: Metrics, name: string): string[] {
  return metrics.render().split('\n').filter(line => line.startsWith(name))
}

test('a family has its help and its kind once, then a line per label set', () => {
  const metrics = new Metrics()
  metrics.counter('a_total', 'Things.', { kind: 'x' }).add()
  metrics.counter('a_total', 'Things.', { kind: 'y' }).add(2.5)
  metrics.counter('a_total', 'Things.', { kind: 'x' }).add(3)
  metrics.gauge('b', 'Now.', () => -1)
  expect(metrics.render()).toBe(
    '# HELP a_total Things.\n# TYPE a_total counter\na_total{kind="x"} 4\na_total{kind="y"} 2.5\n# HELP b Now.\n# TYPE b gauge\nb -1\n',
  )
})

test('nothing counted is nothing written; a counter that never counted is 0', () => {
  const metrics = new Metrics()
  expect(metrics.render()).toBe('')
  metrics.counter('a_total', 'Things.')
  expect(samples(metrics, 'a_total')).toEqual(['a_total 0'])
})

test('a gauge is read at each scrape, and the last one of its labels counts', () => {
  const metrics = new Metrics()
  let value = 1
  metrics.gauge('g', 'Now.', () => 99, { shard: '0' })
  metrics.gauge('g', 'Now.', () => value, { shard: '0' })
  expect(samples(metrics, 'g')).toEqual(['g{shard="0"} 1'])
  value = 2
  expect(samples(metrics, 'g')).toEqual(['g{shard="0"} 2'])
})

test.each([
  ['plain', 'plain'],
  ['a"b', 'a\\"b'],
  ['a\\b', 'a\\\\b'],
  ['a\nb', 'a\\nb'],
  ['\\n', '\\\\n'],
  ['ü😀', 'ü😀'],
])('the label value %j is written as %s', (value, written) => {
  const metrics = new Metrics()
  metrics.counter('a_total', 'Things.', { of: value }).add()
  expect(samples(metrics, 'a_total')).toEqual([`a_total{of="${written}"} 1`])
})

describe('histograms', () => {
  test.each([
    [[], [0, 0, 0]],
    [[1], [1, 1, 1]],
    [[1.0001], [0, 1, 1]],
    [[5], [0, 1, 1]],
    [[6], [0, 0, 1]],
    [[0, 1, 2, 5, 100], [2, 4, 5]],
  ])('%j falls, summed up, into %j', (values, expected) => {
    const metrics = new Metrics()
    const histogram = metrics.histogram('h', 'Sizes.', [1, 5], { of: 'x' })
    for (const value of values) histogram.observe(value)
    expect(samples(metrics, 'h')).toEqual([
      `h_bucket{of="x",le="1"} ${expected[0]}`,
      `h_bucket{of="x",le="5"} ${expected[1]}`,
      `h_bucket{of="x",le="+Inf"} ${expected[2]}`,
      `h_sum{of="x"} ${values.reduce<number>((sum, value) => sum + value, 0)}`,
      `h_count{of="x"} ${values.length}`,
    ])
  })

  test('of the same labels are one', () => {
    const metrics = new Metrics()
    metrics.histogram('h', 'Sizes.', [1]).observe(1)
    metrics.histogram('h', 'Sizes.', [1]).observe(2)
    expect(samples(metrics, 'h_count')).toEqual(['h_count 2'])
  })
})

describe('a family with as many series as it may hold', () => {
  function full(): Metrics {
    const metrics = new Metrics()
    for (let i = 0; i < seriesPerFamilyMax; i++) metrics.counter('a_total', 'Things.', { of: String(i), kind: 'k' }).add()
    return metrics
  }

  test('has a line for each, none of them shared', () => {
    const lines = samples(full(), 'a_total')
    expect(lines).toHaveLength(seriesPerFamilyMax)
    expect(lines.join()).not.toContain('other')
  })

  test('counts every further label set in one series', () => {
    const metrics = full()
    for (let i = 0; i < 1000; i++) metrics.counter('a_total', 'Things.', { of: `more-${i}`, kind: 'k' }).add()
    expect(samples(metrics, 'a_total')).toHaveLength(seriesPerFamilyMax + 1)
    expect(samples(metrics, 'a_total').at(-1)).toBe('a_total{of="other",kind="other"} 1000')
  })

  test('goes on counting those it has under their own labels', () => {
    const metrics = full()
    metrics.counter('a_total', 'Things.', { of: '7', kind: 'k' }).add()
    expect(samples(metrics, 'a_total{of="7"')).toEqual(['a_total{of="7",kind="k"} 2'])
    expect(samples(metrics, 'a_total')).toHaveLength(seriesPerFamilyMax)
  })

  test('leaves other families alone', () => {
    const metrics = full()
    metrics.counter('b_total', 'Others.', { of: 'x' }).add()
    expect(samples(metrics, 'b_total')).toEqual(['b_total{of="x"} 1'])
  })
})
