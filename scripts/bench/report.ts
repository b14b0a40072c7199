/** Writes the results as Markdown: rates with latencies, requests per server-CPU-second, and the bars. Pure. */
import { cpus, release, totalmem } from 'node:os'
import { judge } from './bars.ts'
import type { Row } from './plan.ts'
import type { Results } from './results.ts'

/** Share of a core that may go to others while a figure is measured. */
export const disturbedShare = 0.1

/** The report of one run: `how` says with which command line and how often it was measured. */
export function reportOf(results: Results, rows: readonly Row[], how: string): string {
  const targets = [...new Set(rows.flatMap(row => row.targets))]
  const parts = [
    `Measured with \`${how}\` on ${machineText()}. Medians. † marks a figure during which something else took`,
    `more than ${disturbedShare * 100} % of a core (highest in this run: ${(results.disturbance() * 100).toFixed(0)} %): it is not to be trusted.`,
    '',
    '### Rates',
    '',
    'Successful requests (deliveries, MB) a second, and p50 / p99 in ms.',
    '',
    ...table(targets, rows, (row, target) => rateCell(results, row, target)),
    '',
    '### Per server-CPU-second',
    '',
    ...table(targets, rows, (row, target) => figureText(results.median(row.key, target, 'perCpuSecond'))),
    '',
    ...factLines(results),
    '### Bars',
    '',
    '| bar | needed | measured | met |',
    '|---|---|---|---|',
    ...judge(results).map(bar => `| ${bar.title} | ${bar.needed} | ${bar.measured} | ${bar.met === undefined ? 'not measured' : bar.met ? 'yes' : '**no**'} |`),
    '',
  ]
  return parts.join('\n')
}

function table(targets: readonly string[], rows: readonly Row[], cell: (row: Row, target: string) => string): string[] {
  return [
    `| | ${targets.join(' | ')} |`,
    `|---|${targets.map(() => '---').join('|')}|`,
    ...rows.map(row => `| ${row.title} (${row.unit}) | ${targets.map(target => cell(row, target)).join(' | ')} |`),
  ]
}

function rateCell(results: Results, row: Row, target: string): string {
  if (!results.has(row.key, target)) return '–'
  const [rate, p50, p99] = (['rate', 'p50Ms', 'p99Ms'] as const).map(figure => results.median(row.key, target, figure))
  const errors = results.errors(row.key, target)
  const disturbed = results.median(row.key, target, 'otherCpuShare') > disturbedShare
  return `${figureText(rate ?? NaN)}${disturbed ? '†' : ''} (${(p50 ?? NaN).toFixed(2)} / ${(p99 ?? NaN).toFixed(2)})${errors > 0 ? `, ${errors} errors` : ''}`
}

function factLines(results: Results): string[] {
  if (results.facts.size === 0) return []
  const lines = [...results.facts].map(([name, value]) => `| ${name} | ${value.toFixed(value < 20 ? 2 : 0)} |`)
  return ['### Single figures', '', '| figure (MiB, ms, ratio) | |', '|---|---|', ...lines, '']
}

export function figureText(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value >= 10 ? 0 : 1)
}

export function machineText(): string {
  const model = cpus()[0]?.model ?? 'an unknown processor'
  return `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Bun ${Bun.version}`
}
