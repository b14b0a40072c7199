/** Subscribers that keep a copy of a table by its events alone, resume where they stopped after each kill, and must then have exactly what the table has. */
import type { RowWorld } from './row-writers.ts'

export interface Mirror {
  readonly number: number
  /** Value by id. */
  readonly rows: Map<string, number>
  /** Of the latest event; null: the first snapshot is not complete. */
  pos: number | null
}

interface MirrorEvent {
  readonly Insert?: Row
  readonly Update?: Row
  readonly Delete?: Row
  readonly Snapshot?: unknown
  readonly Error?: unknown
  readonly pos?: number
}

interface Row {
  readonly id: number
  readonly value: number
}

const catchUpMsMax = 20_000

export function makeMirrors(count: number): Mirror[] {
  return Array.from({ length: count }, (_, number) => ({ number, rows: new Map(), pos: null }))
}

/** Follows until the server dies. */
export async function follow(world: RowWorld, mirror: Mirror): Promise<void> {
  while (world.running) await read(world, mirror, new AbortController(), () => false)
}

/** Resumes, and reports a mirror that does not become what `table` is: value by id. */
export async function catchUp(world: RowWorld, mirror: Mirror, table: ReadonlyMap<string, number>): Promise<void> {
  const controller = new AbortController()
  const late = setTimeout(() => controller.abort(), catchUpMsMax)
  await read(world, mirror, controller, () => isSame(mirror.rows, table))
  clearTimeout(late)
  if (isSame(mirror.rows, table)) return
  const missing = [...table].filter(([id, value]) => mirror.rows.get(id) !== value).length
  world.report(`subscriber ${mirror.number}`, `has ${mirror.rows.size} rows of ${table.size}, ${missing} are missing or old, at ${mirror.pos}`)
  // One fault is reported once: it begins anew.
  mirror.pos = null
}

async function read(world: RowWorld, mirror: Mirror, controller: AbortController, isEnough: () => boolean): Promise<void> {
  const from = mirror.pos === null ? 'follow=snapshot' : `since=${mirror.pos}`
  if (mirror.pos === null) mirror.rows.clear()
  try {
    const answer = await fetch(`${world.url}/api/records/v1/entries/subscribe/*?${from}`, { signal: controller.signal })
    if (answer.status !== 200 || answer.body === null) return world.report(`subscriber ${mirror.number}`, `was answered ${answer.status} to ${from}`)
    let text = ''
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      text += piece
      const end = text.lastIndexOf('\n\n')
      for (const frame of end < 0 ? [] : text.slice(0, end).split('\n\n')) takeFrame(world, mirror, frame)
      text = text.slice(end < 0 ? 0 : end + 2)
      if (isEnough()) break
    }
  } catch {
    // The server died, or the time is over.
  } finally {
    controller.abort()
  }
}

function takeFrame(world: RowWorld, mirror: Mirror, frame: string): void {
  const line = frame.split('\n').find(each => each.startsWith('data: '))
  if (line === undefined) return
  const event = JSON.parse(line.slice(6)) as MirrorEvent
  const broken = (what: string) => world.report(`subscriber ${mirror.number}`, `${what}: ${line.slice(0, 200)}`)
  if (event.Error !== undefined) return broken('lost events')
  if (event.pos !== undefined) {
    if (mirror.pos !== null && event.pos <= mirror.pos) return broken(`an event again after ${mirror.pos}`)
    // The rows of a snapshot have no position; what came before its end is not resumed from.
    mirror.pos = event.pos
  }
  world.totals.events++
  const row = event.Insert ?? event.Update ?? event.Delete
  if (row === undefined) return
  const id = String(row.id)
  if (mirror.rows.has(id) === (event.Insert !== undefined)) broken(event.Insert === undefined ? 'a change of a row that is not there' : 'an insert of a row that is there')
  if (event.Delete === undefined) mirror.rows.set(id, row.value)
  else mirror.rows.delete(id)
}

function isSame(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): boolean {
  return left.size === right.size && [...right].every(([id, value]) => left.get(id) === value)
}
