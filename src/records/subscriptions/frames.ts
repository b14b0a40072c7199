/** Events as bytes of an event stream (trailbase-api.md §5.8; `pos` and `txn` are ours). When they are sent is subscriber.ts. */

export type EventKind = 'Insert' | 'Update' | 'Delete'

/** 1 and 2 are TrailBase's, 4 is ours: the position that was asked for is not kept, or never was. */
export const errorStatus = { forbidden: 1, loss: 2, horizon: 4 } as const

const encoder = new TextEncoder()
export const pingFrame = encoder.encode(': ping\n\n')
const quietFrame = encoder.encode(':\n\n')

/** A place in the change log. */
export interface Place {
  readonly seq: number
  readonly txn: number
}

/** One change of one record API: its record is made text once, and a frame once for all subscribers that count alike. */
export class ChangeEvent {
  readonly #head: string
  readonly #place: Place
  readonly #frames = new Map<number, Uint8Array>()

  constructor(kind: EventKind, record: string, place: Place) {
    this.#head = `data: {"${kind}":${oneLine(record)},"seq":`
    this.#place = place
  }

  /** `withId`: a line `id:` follows, by which browsers resume. */
  frame(seq: number, withId: boolean): Uint8Array {
    const key = withId ? -seq : seq
    let frame = this.#frames.get(key)
    if (frame === undefined) {
      const { seq: pos, txn } = this.#place
      this.#frames.set(key, (frame = encoder.encode(`${this.#head}${seq},"pos":${pos},"txn":${txn}}\n${idLine(pos, withId)}\n`)))
    }
    return frame
  }
}

/** A record of a snapshot. It has no position: one resumes from its end. */
export function snapshotFrame(record: string, seq: number): Uint8Array {
  return encoder.encode(`data: {"Insert":${oneLine(record)},"seq":${seq}}\n\n`)
}

/** The end of a snapshot of `count` records; changes follow from `pos` on. */
export function snapshotEndFrame(count: number, seq: number, pos: number, withId: boolean): Uint8Array {
  return encoder.encode(`data: {"Snapshot":{"count":${count}},"seq":${seq},"pos":${pos}}\n${idLine(pos, withId)}\n`)
}

export function forbiddenFrame(seq: number): Uint8Array {
  return encoder.encode(`data: {"Error":{"status":${errorStatus.forbidden},"message":"Access denied"},"seq":${seq}}\n\n`)
}

/** Changes were missed; those from `pos` on follow. */
export function lossFrame(seq: number, pos: number, withId: boolean): Uint8Array {
  return encoder.encode(`data: {"Error":{"status":${errorStatus.loss},"message":null},"seq":${seq},"pos":${pos}}\n${idLine(pos, withId)}\n`)
}

/** The subscriber asked to go on from a place that is not there; changes from `horizon` on follow. */
export function horizonFrame(seq: number, horizon: number, withId: boolean): Uint8Array {
  const error = `{"status":${errorStatus.horizon},"message":"Changes after this position are not kept any more","horizon":${horizon}}`
  return encoder.encode(`data: {"Error":${error},"seq":${seq},"pos":${horizon}}\n${idLine(horizon, withId)}\n`)
}

/** A comment; with the position for those that resume by it, since they may have seen no event for long. */
export function keepAliveFrame(pos: number, withId: boolean): Uint8Array {
  return withId ? encoder.encode(`:\n${idLine(pos, true)}\n`) : quietFrame
}

function idLine(pos: number, withId: boolean): string {
  return withId ? `id: ${pos}\n` : ''
}

/** Stored JSON goes out as it is, and may have line ends between its parts; inside of strings they are escaped. */
function oneLine(record: string): string {
  return record.includes('\n') || record.includes('\r') ? record.replace(/[\r\n]+/g, ' ') : record
}
