/** Which rows are measured on which servers. */
import type { Scenario } from './sample.ts'
import { bare, ours, referenceFile, referenceMemory } from './targets.ts'

export interface Row {
  readonly key: string
  readonly title: string
  readonly unit: string
  readonly scenario: Scenario
  readonly targets: readonly string[]
}

export interface Extent {
  readonly quick: boolean
  readonly peers: readonly string[]
}

/** The rows in the order in which they are measured. */
export function planRows({ quick, peers }: Extent): Row[] {
  const durable = [...ours, referenceMemory]
  const rows = quick ? [...appendRows([16], [1], peers), ...otherRows(true)] : [...appendRows([1, 16, 64, 256], [1, 1000], peers), ...otherRows(false)]
  return rows.map(row => ({ ...row, targets: [...(row.targets.length > 0 ? row.targets : durable), ...peers] }))
}

function appendRows(connections: readonly number[], streams: readonly number[], peers: readonly string[]): Row[] {
  return streams.flatMap(many =>
    connections.map(wide => ({
      key: `append-${wide}x${many}`,
      title: `append, ${wide} ${wide === 1 ? 'connection' : 'connections'}, ${many} ${many === 1 ? 'stream' : 'streams'}`,
      unit: 'appends/s',
      scenario: { kind: 'append' as const, connections: wide, streams: many, batch: 1 },
      // The file server answers 404 to most appends to 1000 streams, so only its one-stream rows say anything.
      targets: [...ours, referenceMemory, ...(many === 1 ? [referenceFile] : []), bare].filter(name => !peers.includes(name)),
    })),
  )
}

function otherRows(quick: boolean): Row[] {
  const mebibyte = 1_048_576
  const row = (key: string, title: string, unit: string, scenario: Scenario, targets: readonly string[] = []): Row => ({
    key,
    title,
    unit,
    scenario,
    targets,
  })
  const readers = quick ? 20 : 1000
  return [
    row('batch', 'append of 100 messages, 16 connections, 16 streams', 'appends/s', { kind: 'append', connections: 16, streams: 16, batch: 100 }),
    row('deliver', 'append to SSE delivery, 100 a second, 1 reader', 'deliveries/s', { kind: 'deliver', readers: 1, rate: 100 }),
    row('fanout', `fan-out to ${readers} SSE readers, 10 a second`, 'deliveries/s', { kind: 'deliver', readers, rate: 10 }),
    row('read-json', 'catch-up, JSON, 256 B messages', 'MB/s', {
      kind: 'read',
      content: 'json',
      messageBytes: 256,
      totalBytes: quick ? mebibyte : 10 * mebibyte,
    }),
    row('read-binary', 'catch-up, binary, 64 KiB appends', 'MB/s', {
      kind: 'read',
      content: 'binary',
      messageBytes: 65_536,
      totalBytes: quick ? 2 * mebibyte : 64 * mebibyte,
    }),
    row('create', 'create, 64 connections', 'creations/s', { kind: 'create', connections: quick ? 8 : 64 }),
  ]
}

/** Rows whose key begins with one of the comma-separated words; all without words. */
export function selectRows(rows: readonly Row[], only: string | undefined): Row[] {
  const words = only?.split(',').filter(word => word !== '')
  return rows.filter(row => !words || words.length === 0 || words.some(word => row.key.startsWith(word)))
}
