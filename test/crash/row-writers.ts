/** Writers of rows: closed loops of creates, bulk creates, updates, deletes, transactions, and writes that a rule denies. Keyed creates are sent again over restarts. */
import { Random } from './random.ts'
import { newWriterLedger, noteRows, type RowLedger, type WriterLedger } from './row-ledger.ts'
import type { Violation } from './verify.ts'

export interface RowTotals {
  kills: number
  acked: number
  rowsAcked: number
  denied: number
  replayed: number
  answersLost: number
  refusedBusy: number
  rowsVerified: number
  filesVerified: number
  events: number
}

export class RowWorld {
  readonly random: Random
  readonly violations: Violation[] = []
  readonly totals: RowTotals = { kills: 0, acked: 0, rowsAcked: 0, denied: 0, replayed: 0, answersLost: 0, refusedBusy: 0, rowsVerified: 0, filesVerified: 0, events: 0 }
  /** True while requests are sent; false from the kill on. */
  running = false

  constructor(
    readonly url: string,
    seed: number,
  ) {
    this.random = new Random(seed)
  }

  report(where: string, what: string): void {
    this.violations.push({ stream: where, what })
  }
}

export interface RowWriter {
  readonly ledger: WriterLedger
  /** The keyed creation in the air: sent again with its key until it is settled. */
  request: KeyedRequest | null
}

interface KeyedRequest {
  readonly key: string
  readonly rows: readonly RowLedger[]
  attempts: number
  /** What the restart showed of it. */
  found: 'present' | 'absent' | 'unknown'
}

interface Answer {
  readonly status: number
  readonly ids: readonly string[]
  readonly isReplayed: boolean
}

const thinkMsMax = 3
const busyPauseMs = 5

export function makeRowWriters(count: number): RowWriter[] {
  return Array.from({ length: count }, (_, writer) => ({ ledger: newWriterLedger(writer), request: null }))
}

/** Writes until the world stops running. */
export async function writeRows(world: RowWorld, writer: RowWriter): Promise<void> {
  while (world.running) {
    await step(world, writer)
    await Bun.sleep(world.random.between(0, thinkMsMax))
  }
}

/** Tells a writer what the restart showed of its pending creation. Before the ledger is settled. */
export function noteRowsFound(writer: RowWriter, numbers: ReadonlySet<number>): void {
  const first = writer.request?.rows[0]
  if (writer.request !== null && first !== undefined) writer.request.found = numbers.has(first.number) ? 'present' : 'absent'
}

async function step(world: RowWorld, writer: RowWriter): Promise<void> {
  const { random } = world
  if (writer.request !== null) return await createKeyed(world, writer, writer.request)
  const choice = random.between(0, 99)
  if (choice < 45) {
    const rows = noteRows(writer.ledger, random.chance(0.3) ? random.between(2, 20) : 1)
    writer.request = { key: crypto.randomUUID(), rows, attempts: 0, found: 'unknown' }
    return await createKeyed(world, writer, writer.request)
  }
  if (choice < 60) return await createOnce(world, writer)
  if (choice < 75) return await update(world, writer)
  if (choice < 82) return await remove(world, writer)
  if (choice < 92) return await changePair(world, writer)
  return await tryDenied(world, writer)
}

async function createKeyed(world: RowWorld, writer: RowWriter, request: KeyedRequest): Promise<void> {
  request.attempts++
  // A restart may have shown that nothing of it was there; from now on it may be.
  for (const row of request.rows) if (row.created === 'none') row.created = 'unknown'
  const answer = await send(world, writer, 'POST', '/entries', bodyOf(writer, request.rows), { 'idempotency-key': request.key })
  if (answer === null) {
    request.found = 'unknown'
    return
  }
  if (answer.status === 503 || answer.status === 429) return await busy(world)
  if (answer.status !== 200) {
    writer.request = null
    for (const row of request.rows) row.created = 'none'
    return world.report(`writer ${writer.ledger.writer}`, `a create was answered ${answer.status}`)
  }
  const expected = request.found === 'unknown' ? (request.attempts === 1 ? false : answer.isReplayed) : request.found === 'present'
  if (answer.isReplayed !== expected) world.report(`writer ${writer.ledger.writer}`, `attempt ${request.attempts} of a create that was ${request.found} was ${answer.isReplayed ? '' : 'not '}replayed`)
  if (answer.isReplayed) world.totals.replayed++
  acknowledge(world, writer, request.rows, answer.ids)
  writer.request = null
}

async function createOnce(world: RowWorld, writer: RowWriter): Promise<void> {
  const rows = noteRows(writer.ledger, 1)
  const answer = await send(world, writer, 'POST', '/entries', bodyOf(writer, rows))
  if (answer === null) return
  if (answer.status === 200) return acknowledge(world, writer, rows, answer.ids)
  for (const row of rows) row.created = 'none'
  await refused(world, writer, 'a create', answer)
}

async function update(world: RowWorld, writer: RowWriter): Promise<void> {
  const row = standing(world, writer)
  if (row === undefined) return
  // A step back is what the rule denies.
  const value = world.random.chance(0.1) ? row.value - 1 : row.value + world.random.between(1, 5)
  if (value > row.value) row.pendingValue = value
  const answer = await send(world, writer, 'PATCH', `/entries/${row.id}`, { value })
  if (answer === null) return
  if (answer.status === 200 && value > row.value) {
    row.value = value
    world.totals.acked++
  } else if (answer.status === 403 && value < row.value) world.totals.denied++
  else await refused(world, writer, `an update from ${row.value} to ${value}`, answer)
  row.pendingValue = null
}

async function remove(world: RowWorld, writer: RowWriter): Promise<void> {
  const row = standing(world, writer)
  if (row === undefined) return
  row.deleted = 'unknown'
  const answer = await send(world, writer, 'DELETE', `/entries/${row.id}`)
  if (answer === null) return
  row.deleted = answer.status === 200 ? 'acked' : 'none'
  if (answer.status === 200) world.totals.acked++
  else await refused(world, writer, 'a delete', answer)
}

/** Both rows in one transaction. */
async function changePair(world: RowWorld, writer: RowWriter): Promise<void> {
  const { pair, writer: number } = writer.ledger
  const value = pair.value + 1
  pair.pending = value
  const operations = [2 * number, 2 * number + 1].map(id => ({ Update: { api_name: 'pairs', record_id: String(id), value: { value } } }))
  const answer = await send(world, writer, 'POST', 'transaction', { operations, transaction: true })
  if (answer === null) return
  pair.pending = null
  if (answer.status !== 200) return await refused(world, writer, 'a transaction', answer)
  pair.value = value
  world.totals.acked++
}

async function tryDenied(world: RowWorld, writer: RowWriter): Promise<void> {
  const number = writer.ledger.next++
  writer.ledger.denied.add(number)
  const answer = await send(world, writer, 'POST', '/entries', { writer: writer.ledger.writer, number, text: 'denied' })
  if (answer === null) return
  if (answer.status === 403) world.totals.denied++
  else await refused(world, writer, 'a create that the rule denies', answer)
}

function bodyOf({ ledger }: RowWriter, rows: readonly RowLedger[]): unknown {
  const records = rows.map(row => ({ writer: ledger.writer, number: row.number, text: `row ${row.number}` }))
  return records.length === 1 ? records[0] : records
}

export function acknowledge(world: RowWorld, { ledger }: RowWriter, rows: readonly RowLedger[], ids: readonly string[]): void {
  if (ids.length !== rows.length) world.report(`writer ${ledger.writer}`, `${rows.length} rows got ${ids.length} ids`)
  for (const [at, row] of rows.entries()) {
    const id = ids[at] ?? null
    if (row.id !== null && row.id !== id) world.report(`writer ${ledger.writer}`, `row ${row.number} was found with the id ${row.id}, its answer says ${id}`)
    row.created = 'acked'
    row.id = id
  }
  world.totals.acked++
  world.totals.rowsAcked += rows.length
}

/** A row that is certainly there and in no request. */
export function standing(world: RowWorld, { ledger }: RowWriter): RowLedger | undefined {
  return world.random.pick([...ledger.rows.values()].slice(-200).filter(row => row.created === 'acked' && row.deleted === 'none' && row.id !== null))
}

export async function refused(world: RowWorld, { ledger }: RowWriter, what: string, answer: Answer): Promise<void> {
  if (answer.status === 503 || answer.status === 429) return await busy(world)
  world.report(`writer ${ledger.writer}`, `${what} was answered ${answer.status}`)
}

async function busy(world: RowWorld): Promise<void> {
  world.totals.refusedBusy++
  await Bun.sleep(busyPauseMs)
}

/** Sends one request of one writer. null: no answer came. `path` is below the record APIs, or `transaction`. */
export async function send(world: RowWorld, { ledger }: RowWriter, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer | null> {
  const url = path === 'transaction' ? `${world.url}/api/transaction/v1/execute` : `${world.url}/api/records/v1${path}`
  try {
    const answer = await fetch(url, { method, headers: { 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    const text = await answer.text()
    const isReplayed = answer.headers.get('idempotency-replayed') === 'true'
    if (answer.status === 200 && !isReplayed) noteTxn(world, ledger, Number(answer.headers.get('headwater-txn')))
    return { status: answer.status, isReplayed, ids: answer.status === 200 && text.startsWith('{"ids"') ? (JSON.parse(text) as { ids: string[] }).ids : [] }
  } catch {
    world.totals.answersLost++
    return null
  }
}

/** One writer sends one request at a time: what was committed later has a greater number, over restarts too. */
function noteTxn(world: RowWorld, ledger: WriterLedger, txn: number): void {
  if (!(txn > ledger.txn)) world.report(`writer ${ledger.writer}`, `transaction ${txn} after ${ledger.txn}`)
  ledger.txn = txn
}
