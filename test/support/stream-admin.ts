/** The smallest store that fulfils StreamAdmin, to prove the control API against any store; the real one is proved in test/smoke. */
import type { ArchivedStream } from '../../src/admin/archive.ts'
import type { OnConflict, StagedStream, StreamAdmin, StreamInfo } from '../../src/admin/export.ts'
import { fail } from '../../src/lib/errors.ts'

interface Held {
  readonly info: StreamInfo
  readonly records: Uint8Array[]
}

export class SmallStreams implements StreamAdmin {
  readonly held = new Map<string, Held>()
  stagedCount = 0
  #nextId = 1

  put(path: string, records: readonly Uint8Array[]): void {
    const bytes = records.reduce((sum, record) => sum + record.byteLength, 0)
    this.#hold({ ...emptyStream(path), bytes, tail: offset(bytes) }, [...records])
  }

  append(path: string, record: Uint8Array): void {
    const held = this.held.get(path) ?? fail('stream_not_found', {})
    const bytes = held.info.bytes + record.byteLength
    held.records.push(record)
    this.held.set(path, { info: { ...held.info, bytes, tail: offset(bytes) }, records: held.records })
  }

  list(query: { prefix: string; after: string; limit: number }): readonly StreamInfo[] {
    const paths = [...this.held.keys()].filter(path => path.startsWith(query.prefix) && path > query.after).toSorted()
    return paths.slice(0, query.limit).flatMap(path => this.info(path) ?? [])
  }

  info(path: string): StreamInfo | null {
    return this.held.get(path)?.info ?? null
  }

  *records(path: string): Iterable<Uint8Array> {
    for (let i = 0; ; i++) {
      const held = this.held.get(path) ?? fail('stream_not_found', {})
      const record = held.records[i]
      if (record === undefined) return
      yield record
    }
  }

  async stage(stream: ArchivedStream): Promise<StagedStream> {
    this.stagedCount++
    const records: Uint8Array[] = []
    return {
      append: async more => void records.push(...more),
      install: async onConflict => this.#install(stream, records, onConflict),
      discard: async () => void this.stagedCount--,
    }
  }

  #install(stream: ArchivedStream, records: Uint8Array[], onConflict: OnConflict): 'installed' | 'skipped' {
    if (this.held.has(stream.path) && onConflict === 'fail') fail('stream_exists', { detail: stream.path })
    if (this.held.has(stream.path) && onConflict === 'skip') return 'skipped'
    this.stagedCount--
    this.#hold(stream, records)
    return 'installed'
  }

  #hold(stream: ArchivedStream, records: Uint8Array[]): void {
    this.held.set(stream.path, { info: { ...stream, id: this.#nextId++ }, records })
  }
}

export function offset(position: number): string {
  return `0000000000000000_${String(position).padStart(16, '0')}`
}

function emptyStream(path: string): ArchivedStream {
  return {
    path,
    contentType: 'application/octet-stream',
    closed: false,
    createdAtMs: 1,
    ttlSecs: null,
    expiresAtMs: null,
    start: offset(0),
    tail: offset(0),
    bytes: 0,
    forkedFrom: null,
    seq: null,
    producers: [],
  }
}
