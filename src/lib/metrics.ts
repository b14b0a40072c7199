/** Counters, gauges and histograms in memory. Rendering and the names of process figures are ops/metrics.ts. */

export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(amount?: number): void
}
export interface Histogram {
  observe(value: number): void
}

interface Family {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly series: Map<string, Series>
  readonly bounds: readonly number[]
}
interface Series {
  readonly labels: Labels
  value: number
  readonly read: (() => number) | null
  readonly buckets: Float64Array
  count: number
}

/** Most series that one family may hold; further label sets share one overflow series, so memory stays bounded. */
export const seriesPerFamilyMax = 256

export class Metrics {
  readonly #families = new Map<string, Family>()

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const series = this.#series(name, help, 'counter', labels, [], null)
    return { add: (amount = 1) => void (series.value += amount) }
  }

  /** A gauge that is read when it is scraped. */
  gauge(name: string, help: string, read: () => number, labels: Labels = {}): void {
    this.#series(name, help, 'gauge', labels, [], read)
  }

  /** `bounds` are the upper limits of the buckets, ascending, in the unit of the name. */
  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    const series = this.#series(name, help, 'histogram', labels, bounds, null)
    return {
      observe(value) {
        series.value += value
        series.count++
        for (let i = 0; i < bounds.length; i++) {
          if (value <= (bounds[i] ?? Infinity)) {
            series.buckets[i] = (series.buckets[i] ?? 0) + 1
            break
          }
        }
      },
    }
  }

  /** The text exposition format of Prometheus, version 0.0.4. */
  render(): string {
    let text = ''
    for (const family of this.#families.values()) {
      text += `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.kind}\n`
      for (const series of family.series.values()) text += renderSeries(family, series)
    }
    return text
  }

  #series(
    name: string,
    help: string,
    kind: Family['kind'],
    labels: Labels,
    bounds: readonly number[],
    read: (() => number) | null,
  ): Series {
    let family = this.#families.get(name)
    if (family === undefined) {
      family = { name, help, kind, series: new Map(), bounds }
      this.#families.set(name, family)
    }
    const full = family.series.size >= seriesPerFamilyMax && !family.series.has(labelText(labels))
    const kept = full ? Object.fromEntries(Object.keys(labels).map(key => [key, 'other'])) : labels
    const key = labelText(kept)
    const known = family.series.get(key)
    if (known !== undefined && read === null) return known
    const series: Series = { labels: kept, value: 0, read, buckets: new Float64Array(bounds.length), count: 0 }
    family.series.set(key, series)
    return series
  }
}

function renderSeries(family: Family, series: Series): string {
  if (family.kind !== 'histogram') {
    return `${family.name}${labelText(series.labels)} ${series.read ? series.read() : series.value}\n`
  }
  let text = ''
  let below = 0
  family.bounds.forEach((bound, i) => {
    below += series.buckets[i] ?? 0
    text += `${family.name}_bucket${labelText({ ...series.labels, le: String(bound) })} ${below}\n`
  })
  text += `${family.name}_bucket${labelText({ ...series.labels, le: '+Inf' })} ${series.count}\n`
  text += `${family.name}_sum${labelText(series.labels)} ${series.value}\n`
  return `${text}${family.name}_count${labelText(series.labels)} ${series.count}\n`
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
