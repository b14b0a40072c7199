/** The bars that the numbers must clear, as ratios to a peer on the same machine wherever that is possible. Pure. */
import type { Results } from './results.ts'
import { bare, referenceFile, referenceMemory } from './targets.ts'

export interface Bar {
  readonly title: string
  readonly needed: string
  readonly measured: string
  /** undefined when one of its figures was not measured in this run. */
  readonly met: boolean | undefined
}

/** All bars over `results`, in a fixed order. */
export function judge(results: Results): Bar[] {
  return [...throughputBars(results), ...latencyBars(results), ...readBars(results), ...costBars(results)]
}

function throughputBars(results: Results): Bar[] {
  const bars: Bar[] = []
  for (const [streams, acidBar, fileBar] of [
    [1, 1.5, 2],
    [1000, 1.3, 2],
  ] as const) {
    for (const connections of [64, 256]) {
      const row = `append-${connections}x${streams}`
      const title = `appends, ${connections} connections, ${streams === 1 ? '1 stream' : `${streams} streams`}`
      bars.push(rateBar(results, title, row, 'acid', referenceMemory, acidBar))
      bars.push(rateBar(results, title, row, 'file-durable', referenceMemory, fileBar))
      bars.push(rateBar(results, title, row, 'acid', bare, 0.5))
      bars.push(rateBar(results, title, row, 'file-durable', bare, 0.65))
    }
  }
  for (const mode of ['acid', 'file-durable']) bars.push(rateBar(results, 'batches of 100', 'batch', mode, referenceMemory, 2))
  for (const connections of [64, 256]) {
    bars.push(rateBar(results, `appends, ${connections} connections, 1 stream`, `append-${connections}x1`, 'acid', referenceFile, 20))
  }
  return bars
}

function latencyBars(results: Results): Bar[] {
  const bars: Bar[] = []
  for (const mode of ['acid', 'file-durable']) {
    for (const streams of [1, 1000]) {
      const p99 = results.median(`append-64x${streams}`, mode, 'p99Ms')
      bars.push(atMost(`${mode}: append p99 at 64 connections, ${streams === 1 ? '1 stream' : '1000 streams'}`, p99, 15, 'ms'))
    }
    const delivery = results.median('deliver', mode, 'p99Ms') / results.median('deliver', mode, 'ackP99Ms')
    bars.push(atMost(`${mode}: delivery p99 to the commit's p99`, delivery, 2, '×'))
    const fanOut = results.median('fanout', mode, 'p99Ms') / results.median('fanout', referenceMemory, 'p99Ms')
    bars.push(atMost(`${mode}: fan-out p99 to ${referenceMemory}`, fanOut, 0.5, '×'))
  }
  return bars
}

function readBars(results: Results): Bar[] {
  return ['acid', 'file-durable'].flatMap(mode => [
    rateBar(results, 'catch-up, JSON', 'read-json', mode, referenceMemory, 8),
    rateBar(results, 'catch-up, binary', 'read-binary', mode, referenceMemory, 3),
  ])
}

function costBars(results: Results): Bar[] {
  const fact = (name: string) => results.facts.get(name) ?? NaN
  return [
    atMost('acid: RSS after the whole suite', fact('rss acid'), 200, 'MiB'),
    atMost('file-durable: RSS after the whole suite', fact('rss file-durable'), 200, 'MiB'),
    atMost('acid: 10,000 idle SSE readers', fact('idle readers'), 90 / 1.048576, 'MiB'),
    atMost('acid: start to ready, empty depot', fact('ready empty'), 100, 'ms'),
    atMost('acid: start to ready, 100,000 streams', fact('ready many'), 1000, 'ms'),
    atMost('acid: processor time per append to 1 stream, beside 100,000 streams against alone', fact('cost beside many'), 1.25, '×'),
    atMost('acid: processor time per append, spread over 100,000 streams against over 1000', fact('cost over many'), 1.25, '×'),
    atMost('acid: processor time per append, 100 MB stream against new stream', fact('cost long'), 1.25, '×'),
  ]
}

function rateBar(results: Results, title: string, row: string, mode: string, peer: string, needed: number): Bar {
  const ratio = results.median(row, mode, 'rate') / results.median(row, peer, 'rate')
  // An answer that is no success is not work: a row with errors of ours clears no bar.
  const clean = results.errors(row, mode) === 0
  return {
    title: `${mode}: ${title}, to ${peer}`,
    needed: `≥ ${needed}×`,
    measured: Number.isFinite(ratio) ? `${ratio.toFixed(2)}×${clean ? '' : ', with errors'}` : '–',
    met: Number.isFinite(ratio) ? ratio >= needed && clean : undefined,
  }
}

function atMost(title: string, value: number, limit: number, unit: string): Bar {
  const text = (figure: number) => (unit === '×' ? `${figure.toFixed(2)}×` : `${figure.toFixed(unit === 'ms' && figure < 20 ? 1 : 0)} ${unit}`)
  const known = Number.isFinite(value)
  return { title, needed: `≤ ${text(limit)}`, measured: known ? text(value) : '–', met: known ? value <= limit : undefined }
}
