/** The kill loop of record APIs: start, let everybody write, SIGKILL at a random moment, restart, compare all rows with the ledgers. */
import { startDepotServer } from '../support/depot-server.ts'
import type { Server } from '../support/server.ts'
import { foundDocument, writeDocuments } from './document-writers.ts'
import { catchUp, follow, makeMirrors, type Mirror } from './row-mirrors.ts'
import { settleRows, type FoundRow, type FoundRows } from './row-ledger.ts'
import { verifyRows } from './row-verify.ts'
import { makeRowWriters, noteRowsFound, RowWorld, writeRows, type RowTotals, type RowWriter } from './row-writers.ts'
import type { Violation } from './verify.ts'

export interface RowCampaignOptions {
  readonly kills: number
  readonly seed: number
  readonly bin?: string
  readonly onCycle?: (kill: number, totals: RowTotals, readyMs: number) => void
}

export interface RowCampaignResult {
  readonly totals: RowTotals
  readonly violations: readonly Violation[]
  /** From spawn to ready after a kill. */
  readonly recoveryMs: { readonly median: number; readonly max: number }
}

const writersCount = 32
const mirrorsCount = 4
const documentWritersCount = 4
const lifeMsMin = 5
const lifeMsMax = 500
const windDownMsMax = 20_000
const violationsMax = 20
const pageRows = 1024

const tables = `
CREATE TABLE entry (id INTEGER PRIMARY KEY, writer INTEGER NOT NULL, number INTEGER NOT NULL, value INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL) STRICT;
CREATE TABLE pair (id INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE document (id INTEGER PRIMARY KEY, writer INTEGER NOT NULL, number INTEGER NOT NULL, file TEXT CHECK (jsonschema('std.FileUpload', file))) STRICT;
CREATE TABLE word (text TEXT PRIMARY KEY) STRICT;
INSERT INTO word (text) VALUES ('denied');
INSERT INTO pair (id, value) WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ${2 * writersCount}) SELECT n, 0 FROM n;
`

const config = `
server { enable_record_transactions: true }
record_apis: [{
  name: "entries" table_name: "entry" acl_world: [CREATE, READ, UPDATE, DELETE] enable_subscriptions: true
  create_access_rule: "NOT EXISTS (SELECT 1 FROM word WHERE text = _REQ_.text)"
  update_access_rule: "_REQ_.value > _ROW_.value"
}, {
  name: "pairs" table_name: "pair" acl_world: [READ, UPDATE]
  update_access_rule: "_REQ_.value = _ROW_.value + 1"
}, {
  name: "documents" table_name: "document" acl_world: [CREATE, READ, UPDATE, DELETE]
}]
`

/** Runs `kills` kills; ends early when too much is broken. */
export async function runRowCampaign(options: RowCampaignOptions): Promise<RowCampaignResult> {
  await using depot = await startDepotServer({ config, migrations: { main: tables }, mode: 'acid', readyMsMax: 30_000, ...(options.bin ? { bin: options.bin } : {}) })
  return await killAgainAndAgain(depot.server, options)
}

interface Cast {
  readonly writers: readonly RowWriter[]
  readonly documents: readonly RowWriter[]
  readonly mirrors: readonly Mirror[]
}

async function killAgainAndAgain(server: Server, options: RowCampaignOptions): Promise<RowCampaignResult> {
  const world = new RowWorld(server.url, options.seed)
  const writers = makeRowWriters(writersCount)
  const cast: Cast = { writers, documents: makeRowWriters(documentWritersCount), mirrors: makeMirrors(mirrorsCount) }
  const recoveries: number[] = []
  for (let kill = 1; kill <= options.kills && world.violations.length < violationsMax; kill++) {
    await liveAndDie(world, server, cast)
    await server.restart()
    recoveries.push(server.readyMs)
    await compare(world, cast)
    await compareDocuments(world, cast.documents)
    options.onCycle?.(kill, world.totals, server.readyMs)
  }
  recoveries.sort((left, right) => left - right)
  return { totals: world.totals, violations: world.violations, recoveryMs: { median: recoveries[recoveries.length >> 1] ?? 0, max: recoveries.at(-1) ?? 0 } }
}

async function liveAndDie(world: RowWorld, server: Server, { writers, documents, mirrors }: Cast): Promise<void> {
  world.running = true
  const work = [
    ...writers.map(writer => writeRows(world, writer)),
    ...documents.map(writer => writeDocuments(world, writer)),
    ...mirrors.map(mirror => follow(world, mirror)),
  ]
  await Bun.sleep(world.random.between(lifeMsMin, lifeMsMax))
  if (!server.alive) world.report('server', `it ended by itself: ${server.logs().slice(-2000)}`)
  await server.kill()
  world.running = false
  world.totals.kills++
  const late = Bun.sleep(windDownMsMax).then(() => 'late')
  if ((await Promise.race([Promise.all(work), late])) === 'late') throw new Error(`requests hang ${windDownMsMax} ms after the kill`)
}

async function compare(world: RowWorld, { writers, mirrors }: Cast): Promise<void> {
  const all = await everything(world.url, 'entries')
  const table = new Map(all.map(row => [String(row.id), Number(row.value)]))
  await Promise.all(mirrors.map(mirror => catchUp(world, mirror, table)))
  const entries = Map.groupBy(all, row => Number(row.writer))
  const pairs = new Map((await everything(world.url, 'pairs')).map(row => [Number(row.id), Number(row.value)]))
  for (const writer of writers) {
    const number = writer.ledger.writer
    const rows = (entries.get(number) ?? []).map(foundRow)
    const found: FoundRows = { rows, pair: [pairs.get(2 * number) ?? NaN, pairs.get(2 * number + 1) ?? NaN] }
    world.violations.push(...verifyRows(writer.ledger, found))
    noteRowsFound(writer, new Set(rows.map(row => row.number)))
    settleRows(writer.ledger, found)
    world.totals.rowsVerified += rows.length
  }
}

/** Every file is read, whole. */
async function compareDocuments(world: RowWorld, writers: readonly RowWriter[]): Promise<void> {
  const all = Map.groupBy(await everything(world.url, 'documents'), row => Number(row.writer))
  for (const { ledger } of writers) {
    const rows: FoundRow[] = []
    for (const record of all.get(ledger.writer) ?? []) rows.push(await foundDocument(world, record))
    const found: FoundRows = { rows, pair: [0, 0] }
    world.violations.push(...verifyRows(ledger, found).map(({ stream, what }) => ({ stream: `documents, ${stream}`, what })))
    settleRows(ledger, found)
    world.totals.filesVerified += rows.length
  }
}

function foundRow(row: Readonly<Record<string, unknown>>): FoundRow {
  return { id: String(row.id), number: Number(row.number), value: Number(row.value) }
}

/** All records of an API, page by page. */
async function everything(url: string, api: string): Promise<Readonly<Record<string, unknown>>[]> {
  const all: Readonly<Record<string, unknown>>[] = []
  for (let cursor = ''; ; ) {
    const answer = await fetch(`${url}/api/records/v1/${api}?limit=${pageRows}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    if (answer.status !== 200) throw new Error(`list of ${api}: ${answer.status} ${await answer.text()}`)
    const page = (await answer.json()) as { cursor?: string; records: Readonly<Record<string, unknown>>[] }
    all.push(...page.records)
    if (page.records.length < pageRows || page.cursor === undefined) return all
    cursor = page.cursor
  }
}
