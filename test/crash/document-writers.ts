/** Writers of rows with a file: created, replaced, deleted. The number of its version stands in the bytes, so that a file which is torn, old or another one's is seen as a wrong value. */
import { noteRows, type FoundRow } from './row-ledger.ts'
import { acknowledge, refused, send, standing, type RowWorld, type RowWriter } from './row-writers.ts'

const thinkMsMax = 10
const repeatsMax = 2000

/** Writes until the world stops running. Creations are not sent again: what became of them shows after the restart. */
export async function writeDocuments(world: RowWorld, writer: RowWriter): Promise<void> {
  while (world.running) {
    const choice = world.random.float()
    if (choice < 0.5) await create(world, writer)
    else if (choice < 0.8) await replace(world, writer)
    else await remove(world, writer)
    await Bun.sleep(world.random.between(0, thinkMsMax))
  }
}

/** The document as it is found: its value is the version that its bytes say, NaN when they are not what was written. */
export async function foundDocument(world: RowWorld, record: Readonly<Record<string, unknown>>): Promise<FoundRow> {
  const number = Number(record.number)
  const answer = await fetch(`${world.url}/api/records/v1/documents/${Number(record.id)}/file/file`)
  const text = await answer.text()
  const version = Number(text.slice(0, text.indexOf(':')))
  const isWhole = answer.status === 200 && text === contentOf(Number(record.writer), number, version)
  return { id: String(record.id), number, value: isWhole ? version : NaN }
}

async function create(world: RowWorld, { ledger }: RowWriter): Promise<void> {
  const rows = noteRows(ledger, 1)
  const number = rows[0]?.number ?? 0
  const answer = await send(world, { ledger, request: null }, 'POST', '/documents', { writer: ledger.writer, number, file: fileOf(ledger.writer, number, 0) })
  if (answer === null) return
  if (answer.status === 200) return acknowledge(world, { ledger, request: null }, rows, answer.ids)
  for (const row of rows) row.created = 'none'
  await refused(world, { ledger, request: null }, 'a create with a file', answer)
}

async function replace(world: RowWorld, writer: RowWriter): Promise<void> {
  const row = standing(world, writer)
  if (row === undefined) return
  row.pendingValue = row.value + 1
  const answer = await send(world, writer, 'PATCH', `/documents/${row.id}`, { file: fileOf(writer.ledger.writer, row.number, row.pendingValue) })
  if (answer === null) return
  if (answer.status === 200) row.value = row.pendingValue
  else await refused(world, writer, 'a replacement of a file', answer)
  row.pendingValue = null
}

async function remove(world: RowWorld, writer: RowWriter): Promise<void> {
  const row = standing(world, writer)
  if (row === undefined) return
  row.deleted = 'unknown'
  const answer = await send(world, writer, 'DELETE', `/documents/${row.id}`)
  if (answer === null) return
  row.deleted = answer.status === 200 ? 'acked' : 'none'
  if (answer.status !== 200) await refused(world, writer, 'a delete of a file', answer)
}

function fileOf(writer: number, number: number, version: number): object {
  return { name: 'file', filename: `${number}.txt`, content_type: 'text/plain', data: Buffer.from(contentOf(writer, number, version)).toString('base64') }
}

function contentOf(writer: number, number: number, version: number): string {
  return `${version}:${`writer ${writer}, document ${number}, version ${version}\n`.repeat(1 + ((number * 7919 + version * 104_729) % repeatsMax))}`
}
