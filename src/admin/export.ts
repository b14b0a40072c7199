/** Writes streams to an archive, chunk by chunk, while the server goes on. The form of the lines is admin/archive.ts. */
import type { Clock } from '../lib/clock.ts'
import { assert } from '../lib/assert.ts'
import { build } from '../lib/build.ts'
import { ArchiveWriter, type ArchivedStream } from './archive.ts'

export interface StreamInfo extends ArchivedStream {
  /** The number of this life of the stream: a stream that was deleted and created again has another one. */
  readonly id: number
}

/** What the control API needs of the stream store; app.ts passes it in. */
export interface StreamAdmin {
  /** Streams whose path starts with `prefix` and is greater than `after`, by path in byte order, at most `limit`; without producers. Damaged ones are left out, or refused: stream_damaged. */
  list(query: { readonly prefix: string; readonly after: string; readonly limit: number; readonly damaged?: 'refuse' }): readonly StreamInfo[]
  info(path: string): StreamInfo | null
  /**
   * The stored bytes of every append in order, from the first byte, inherited (fork) data included. Is advanced over many turns of
   * the event loop while appends and deletes go on; holds no lock between two records.
   */
  records(path: string): Iterable<Uint8Array>
  /** Begins a stream that nobody sees until it is installed. */
  stage(stream: ArchivedStream): Promise<StagedStream>
}

export type OnConflict = 'fail' | 'skip' | 'replace'

export interface StagedStream {
  append(records: readonly Uint8Array[]): Promise<void>
  /** Makes the stream visible, at once and durably. `fail` refuses with `stream_exists` when the path is taken. */
  install(onConflict: OnConflict): Promise<'installed' | 'skipped'>
  discard(): Promise<void>
}

export interface ExportOptions {
  readonly prefix: string
  readonly clock: Clock
}

/** Bytes that are put together before they are handed on: one turn of the event loop each. */
const chunkBytesMin = 256 * 1024
/** Streams that are looked up at once. */
const pageStreamsMax = 256

/**
 * The archive of all streams below `prefix`, as a body. Each stream is exported up to the tail that it had when its turn came.
 * Breaks off without the end line when storage fails, so that the reader sees that it is incomplete.
 */
export function exportArchive(admin: StreamAdmin, options: ExportOptions): ReadableStream<Uint8Array> {
  const chunks = gather(archiveLines(admin, options))
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = chunks.next()
      if (next.done) controller.close()
      else controller.enqueue(next.value)
    },
    cancel() {
      chunks.return(undefined)
    },
  })
}

function* gather(lines: Iterable<string>): Generator<Uint8Array, void, undefined> {
  let text = ''
  for (const line of lines) {
    text += line
    if (text.length < chunkBytesMin) continue
    yield encoder.encode(text)
    text = ''
  }
  if (text !== '') yield encoder.encode(text)
}

const encoder = new TextEncoder()

function* archiveLines(admin: StreamAdmin, options: ExportOptions): Generator<string> {
  const writer = new ArchiveWriter()
  yield writer.header(options.clock.now(), `headwater ${build.version}`)
  let after = ''
  for (;;) {
    const page = admin.list({ prefix: options.prefix, after, limit: pageStreamsMax, damaged: 'refuse' }) // an archive that lacks a stream must not look whole
    for (const listed of page) {
      after = listed.path
      const stream = admin.info(listed.path)
      if (stream !== null) yield* streamLines(admin, writer, stream)
    }
    if (page.length < pageStreamsMax) break
  }
  yield writer.end()
}

function* streamLines(admin: StreamAdmin, writer: ArchiveWriter, stream: StreamInfo): Generator<string> {
  yield writer.stream(stream)
  let bytes = 0
  try {
    // Appends that come while we write lie behind the tail that the header names, and are left to the next export.
    for (const record of bytes < stream.bytes ? admin.records(stream.path) : []) {
      if (bytes + record.byteLength > stream.bytes) break
      yield writer.record(record)
      bytes += record.byteLength
      if (bytes === stream.bytes) break
    }
  } catch (error) {
    if (isSame(admin, stream)) throw error
  }
  if (bytes === stream.bytes && isSame(admin, stream)) yield writer.endStream()
  else {
    assert(!isSame(admin, stream), `the records of stream ${stream.path} end before its tail`)
    yield writer.abandonStream()
  }
}

function isSame(admin: StreamAdmin, stream: StreamInfo): boolean {
  return admin.info(stream.path)?.id === stream.id
}
