/** The results of `bun run bench records` as Markdown: rates and ratios, small against large, and the bars. Pure. */
import type { Bar } from './bars.ts'
import type { RecordRow } from './records-plan.ts'
import { disturbedShare, figureText, machineText } from './report.ts'
import type { Results } from './results.ts'

export interface RecordReportOptions {
  readonly how: string
  readonly messages: number
  readonly smallMessages: number
}

export function recordReport(results: Results, rows: readonly RecordRow[], keyed: readonly RecordRow[], { how, messages, smallMessages }: RecordReportOptions): string {
  const count = (value: number) => value.toLocaleString('en-US')
  return [
    `Measured with \`${how}\` on ${machineText()}. Medians. † marks a figure during which something else took`,
    `more than ${disturbedShare * 100} % of a core (highest in this run: ${(results.disturbance() * 100).toFixed(0)} %): it is not to be trusted.`,
    '',
    '### Rates of records',
    '',
    `A table of ${count(messages)} messages. Successful requests a second, and p50 / p99 in ms.`,
    '',
    '| | headwater | bare limit | ratio | headwater, per server-CPU-second | ratio |',
    '|---|---|---|---|---|---|',
    ...rows.map(row => rateLine(results, row)),
    '',
    ...(keyed.length === 0 ? [] : keyedTable(results, keyed, [count(smallMessages), count(messages)])),
    '### Bars of records',
    '',
    '| bar | needed | measured | met |',
    '|---|---|---|---|',
    ...recordBars(results).map(bar => `| ${bar.title} | ${bar.needed} | ${bar.measured} | ${bar.met === undefined ? 'not measured' : bar.met ? 'yes' : '**no**'} |`),
    '',
  ].join('\n')
}

/** The bars of issue 3, in a fixed order. */
export function recordBars(results: Results): Bar[] {
  const median = (row: string, figure: 'rate' | 'p99Ms' | 'ackP99Ms') => results.median(row, 'headwater', figure)
  return [
    atLeast(results, 'insert-64', 'inserts at 64 connections, to the bare limit', ratio(results, 'insert-64', 'rate', 'headwater', 'bare'), 0.5),
    atLeast(results, 'read-64', 'point reads at 64 connections, to the bare limit', ratio(results, 'read-64', 'rate', 'headwater', 'bare'), 0.5),
    atLeast(results, 'insert-64', 'inserts a second at 64 connections (a guide)', median('insert-64', 'rate'), 12_000),
    atLeast(results, 'read-64', 'point reads a second at 64 connections (a guide)', median('read-64', 'rate'), 25_000),
    atMost(results, 'deliver', "p99 of delivery to a subscriber, to the commit's", median('deliver', 'p99Ms') / median('deliver', 'ackP99Ms'), 2),
    atMost(results, 'paced-read-scanned', 'p99 of point reads beside a scan, to alone', median('paced-read-scanned', 'p99Ms') / median('paced-read-alone', 'p99Ms'), 3),
    atMost(results, 'paced-insert-scanned', 'p99 of inserts beside a scan, to alone', median('paced-insert-scanned', 'p99Ms') / median('paced-insert-alone', 'p99Ms'), 3),
    atMost(results, 'keyed-read', 'processor time per point read, large table to small', ratio(results, 'keyed-read', 'perCpuSecond', 'small', 'large'), 1.25),
    atMost(results, 'keyed-insert', 'processor time per insert, large table to small', ratio(results, 'keyed-insert', 'perCpuSecond', 'small', 'large'), 1.25),
  ]
}

function rateLine(results: Results, { key, title, unit }: RecordRow): string {
  const perCpu = figureText(results.median(key, 'headwater', 'perCpuSecond'))
  const ratios = (['rate', 'perCpuSecond'] as const).map(figure => ratioText(ratio(results, key, figure, 'headwater', 'bare')))
  return `| ${title} (${unit}) | ${cell(results, key, 'headwater')} | ${cell(results, key, 'bare')} | ${ratios[0]} | ${perCpu} | ${ratios[1]} |`
}

function keyedTable(results: Results, keyed: readonly RecordRow[], [small, large]: readonly [string, string]): string[] {
  return [
    '### Small and large table',
    '',
    `| | ${small} rows | ${large} rows | processor time per request, large to small |`,
    '|---|---|---|---|',
    ...keyed.map(row => `| ${row.title} (${row.unit}) | ${cell(results, row.key, 'small')} | ${cell(results, row.key, 'large')} | ${ratioText(ratio(results, row.key, 'perCpuSecond', 'small', 'large'))} |`),
    '',
  ]
}

function cell(results: Results, row: string, target: string): string {
  if (!results.has(row, target)) return '–'
  const errors = results.errors(row, target)
  const mark = results.median(row, target, 'otherCpuShare') > disturbedShare ? '†' : ''
  const times = `${results.median(row, target, 'p50Ms').toFixed(2)} / ${results.median(row, target, 'p99Ms').toFixed(2)}`
  return `${figureText(results.median(row, target, 'rate'))}${mark} (${times})${errors > 0 ? `, ${errors} errors` : ''}`
}

function ratio(results: Results, row: string, figure: 'rate' | 'perCpuSecond', over: string, under: string): number {
  return results.median(row, over, figure) / results.median(row, under, figure)
}

function ratioText(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)}×` : '–'
}

/** An answer that is no success is not work: a row with errors clears no bar. */
function atLeast(results: Results, row: string, title: string, value: number, needed: number): Bar {
  const isRatio = needed < 10
  const text = isRatio ? ratioText(value) : figureText(value)
  const isClean = errorsOf(results, row) === 0
  return { title, needed: `≥ ${isRatio ? `${needed}×` : figureText(needed)}`, measured: isClean ? text : `${text}, with errors`, met: Number.isFinite(value) ? value >= needed && isClean : undefined }
}

function atMost(results: Results, row: string, title: string, value: number, limit: number): Bar {
  const isClean = errorsOf(results, row) === 0
  return { title, needed: `≤ ${limit}×`, measured: isClean ? ratioText(value) : `${ratioText(value)}, with errors`, met: Number.isFinite(value) ? value <= limit && isClean : undefined }
}

function errorsOf(results: Results, row: string): number {
  return ['headwater', 'small', 'large'].reduce((sum, target) => sum + results.errors(row, target), 0)
}
