/** Percentiles, medians, and what a process costs: resident memory and processor time from /proc (Linux only). */
import { readFileSync } from 'node:fs'

export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface Cost {
  /** Processor seconds that the process and its children used. */
  readonly serverCpuSeconds: number
  /** Share of one core that neither server nor generator used: above a few per cent the row is disturbed. */
  readonly otherCpuShare: number
  readonly residentMiB: number
}

const ticksPerSecond = 100

export function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? NaN }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((left, right) => left - right)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2
}

/** Starts measuring `pid`; call the result at the end. Without a pid (a peer by URL), or without /proc, costs are NaN. */
export function startMeter(pid: number | undefined): () => Cost {
  const startedMs = performance.now()
  const before = cpuSeconds(pid)
  const ownBefore = ownCpuSeconds()
  const machineBefore = machineCpuSeconds()
  return () => {
    const seconds = (performance.now() - startedMs) / 1000
    const serverCpuSeconds = cpuSeconds(pid) - before
    const others = machineCpuSeconds() - machineBefore - serverCpuSeconds - (ownCpuSeconds() - ownBefore)
    return { serverCpuSeconds, otherCpuShare: Math.max(0, others / seconds), residentMiB: residentMiB(pid) }
  }
}

/** Resident memory of the process and its children, in MiB. */
export function residentMiB(pid: number | undefined): number {
  const kilobytes = family(pid).map(one => Number(/VmRSS:\s+(\d+)/.exec(readProc(`${one}/status`))?.[1] ?? 0))
  return kilobytes.length > 0 ? kilobytes.reduce((sum, value) => sum + value, 0) / 1024 : NaN
}

function cpuSeconds(pid: number | undefined): number {
  const ticks = family(pid).map(one => {
    const text = readProc(`${one}/stat`)
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  })
  return ticks.length > 0 ? ticks.reduce((sum, value) => sum + value, 0) / ticksPerSecond : NaN
}

function ownCpuSeconds(): number {
  const used = process.cpuUsage()
  return (used.user + used.system) / 1_000_000
}

function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, soft = 0, stolen = 0] = (readProc('stat').split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + interrupts + soft + stolen) / ticksPerSecond
}

function family(pid: number | undefined): number[] {
  if (pid === undefined || readProc(`${pid}/stat`) === '') return []
  const found = [pid]
  for (let at = 0; at < found.length; at++) {
    const children = readProc(`${found[at]}/task/${found[at]}/children`).trim()
    if (children !== '') found.push(...children.split(' ').map(Number))
  }
  return found
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}
