/** The samples of a run by row and server, and their medians. Pure. */
import { medianOf } from './measure.ts'
import type { Sample } from './sample.ts'

export class Results {
  readonly #samples = new Map<string, Sample[]>()
  /** Single figures that are no rate: memory, start times. */
  readonly facts = new Map<string, number>()

  add(row: string, target: string, sample: Sample): void {
    const key = `${row}|${target}`
    const list = this.#samples.get(key)
    if (list) list.push(sample)
    else this.#samples.set(key, [sample])
  }

  /** The median of one figure, NaN when it was not measured. */
  median(row: string, target: string, figure: keyof Sample): number {
    return medianOf((this.#samples.get(`${row}|${target}`) ?? []).map(sample => sample[figure]))
  }

  has(row: string, target: string): boolean {
    return this.#samples.has(`${row}|${target}`)
  }

  errors(row: string, target: string): number {
    return (this.#samples.get(`${row}|${target}`) ?? []).reduce((sum, sample) => sum + sample.errors, 0)
  }

  /** The highest share of a core that something else took during a sample. */
  disturbance(): number {
    const shares = [...this.#samples.values()].flat().map(sample => sample.otherCpuShare)
    return Math.max(0, ...shares.filter(Number.isFinite))
  }
}
