/** One scenario for the load generator, and what it measured. */

export type Scenario =
  | {
      readonly kind: 'append'
      readonly connections: number
      readonly streams: number
      /** Messages per request. */
      readonly batch: number
      /** Bytes that are in each stream before the measurement. */
      readonly prefillBytes?: number
    }
  | { readonly kind: 'deliver'; readonly readers: number; readonly rate: number }
  | { readonly kind: 'read'; readonly content: 'json' | 'binary'; readonly messageBytes: number; readonly totalBytes: number }
  | { readonly kind: 'create'; readonly connections: number }
  | { readonly kind: 'fill'; readonly streams: number }
  | { readonly kind: 'idle'; readonly readers: number }

export interface Job {
  readonly base: string
  readonly pid?: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly scenario: Scenario
}

export interface Sample {
  /** Requests, deliveries or creations per second; megabytes per second for 'read'. Only what succeeded. */
  readonly rate: number
  readonly perCpuSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the appends behind the deliveries. */
  readonly ackP99Ms: number
  readonly residentMiB: number
  readonly otherCpuShare: number
  /** Answers that were not a success, and deliveries that did not come. */
  readonly errors: number
}

export const payloadBytes = 256

/** A JSON message of exactly `bytes` bytes (at least 60). */
export function jsonMessage(bytes: number, number: number): string {
  const short = JSON.stringify({ id: number, type: 'event', user: 'u-123456', ok: true, pad: '' })
  return JSON.stringify({ id: number, type: 'event', user: 'u-123456', ok: true, pad: 'x'.repeat(Math.max(0, bytes - short.length)) })
}

export function jsonBatch(bytes: number, count: number): Uint8Array {
  const messages = Array.from({ length: count }, (_, number) => jsonMessage(bytes, number))
  return Buffer.from(count === 1 ? (messages[0] ?? '') : `[${messages.join(',')}]`)
}

/** JSON has no NaN: a figure that was not measured comes back as null. */
export function reviveSample(sample: Record<string, number | null>): Sample {
  const figure = (name: string) => sample[name] ?? NaN
  return {
    rate: figure('rate'),
    perCpuSecond: figure('perCpuSecond'),
    p50Ms: figure('p50Ms'),
    p99Ms: figure('p99Ms'),
    ackP99Ms: figure('ackP99Ms'),
    residentMiB: figure('residentMiB'),
    otherCpuShare: figure('otherCpuShare'),
    errors: figure('errors'),
  }
}
