/** Which rows of the benchmark of records are measured on which servers. Pure. */
import type { RecordScenario } from './records-scenario.ts'

export interface RecordRow {
  readonly key: string
  readonly title: string
  readonly unit: string
  readonly scenario: RecordScenario
  readonly targets: readonly ('headwater' | 'bare')[]
}

export interface RecordExtent {
  readonly quick: boolean
  /** Beginnings of keys; none: all. */
  readonly only: readonly string[]
}

const both = ['headwater', 'bare'] as const
const ours = ['headwater'] as const

/** The rows in the order in which they are measured. Reads come first: later the table has grown. */
export function planRecords({ quick, only }: RecordExtent): RecordRow[] {
  const widths = quick ? [16] : [1, 16, 64, 256]
  const wide = (connections: number) => `${connections} ${connections === 1 ? 'connection' : 'connections'}`
  const paced = (what: 'insert' | 'read', isScanned: boolean): RecordRow => ({
    key: `paced-${what}-${isScanned ? 'scanned' : 'alone'}`,
    title: `${what === 'read' ? 'reads' : 'inserts'}, 200 a second, ${isScanned ? 'one client scans all the time' : 'alone'}`,
    unit: 'requests/s',
    scenario: { kind: 'paced', what, rate: 200, isScanned },
    targets: ours,
  })
  const rows: RecordRow[] = [
    ...widths.map(connections => ({ key: `read-${connections}`, title: `point read, ${wide(connections)}`, unit: 'reads/s', scenario: { kind: 'read' as const, connections }, targets: both })),
    { key: 'list', title: 'list of 50 of one room, 16 connections', unit: 'lists/s', scenario: { kind: 'list', connections: 16, limit: 50 }, targets: ours },
    paced('read', false), paced('read', true), paced('insert', false), paced('insert', true),
    ...widths.map(connections => ({ key: `insert-${connections}`, title: `insert, ${wide(connections)}`, unit: 'inserts/s', scenario: { kind: 'insert' as const, connections, bulk: 1 }, targets: both })),
    { key: 'bulk', title: 'bulk insert of 100, 16 connections', unit: 'requests/s', scenario: { kind: 'insert', connections: 16, bulk: 100 }, targets: ours },
    { key: 'deliver', title: 'insert to delivery, 100 a second, 1 subscriber', unit: 'deliveries/s', scenario: { kind: 'deliver', rate: 100 }, targets: ours },
  ]
  return rows.filter(row => isWanted(row.key, only))
}

/** What is measured on a small and on a large table. */
export function keyedRows({ quick, only }: RecordExtent): RecordRow[] {
  const connections = quick ? 16 : 64
  const rows: RecordRow[] = [
    { key: 'keyed-read', title: `point read, ${connections} connections`, unit: 'reads/s', scenario: { kind: 'read', connections }, targets: ours },
    { key: 'keyed-insert', title: `insert, ${connections} connections`, unit: 'inserts/s', scenario: { kind: 'insert', connections, bulk: 1 }, targets: ours },
  ]
  return rows.filter(row => isWanted(row.key, only))
}

function isWanted(key: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some(word => key.startsWith(word))
}
