/** The operations that a shard commits: what is decided at once, what becomes visible after the commit, how it is undone. */
import type { AppendCommand } from './commands.ts'
import type { ProducerProgress } from './producer.ts'
import type { Registry } from './registry.ts'
import type { Operation } from './shard.ts'
import type { CreatedStream, GroupEncoder, LogRecord } from './store/group.ts'
import type { ProducerState } from './store/store.ts'
import type { StreamState } from './stream.ts'

const noBytes = { start: 0, end: 0 }

/** Writes `records`; the last one is the append, where there is one. */
function encoderOf(records: readonly LogRecord[]): (encoder: GroupEncoder) => number {
  return encoder => {
    let at = 0
    for (const record of records) at = encoder.add(record)
    return at
  }
}

/** Decides an append of `bytes` (none for a bare close). A class, because every append makes one. */
export class AppendOperation implements Operation {
  readonly stream: StreamState
  readonly start: number
  readonly end: number
  readonly #command: AppendCommand
  readonly #bytes: Uint8Array
  readonly #atMs: number
  readonly #closed: boolean
  readonly #before: {
    readonly closed: boolean
    readonly closedBy: ProducerState | null
    readonly seq: string | null
    readonly progress: ProducerProgress | null
    readonly touchedAtMs: number
    readonly storedTouchMs: number
  }

  constructor(stream: StreamState, command: AppendCommand, bytes: Uint8Array, nowMs: number) {
    const { producer, closes, seq } = command
    const { closed, closedBy, tail: start, touchedAtMs, storedTouchMs } = stream
    const progress = producer === null ? null : (stream.producers.get(producer.id) ?? null)
    this.stream = stream
    this.start = start
    this.end = start + bytes.byteLength
    this.#closed = closes || closed
    this.#before = { closed, closedBy, seq: stream.seq, progress, touchedAtMs, storedTouchMs }
    this.#command = command
    this.#bytes = bytes
    this.#atMs = nowMs
    stream.tail = this.end
    stream.closed = this.#closed
    if (closes) stream.closedBy = producer
    if (seq !== null) stream.seq = seq
    if (producer !== null) stream.producers.set(producer.id, producer)
    stream.touchedAtMs = stream.storedTouchMs = Math.max(nowMs, touchedAtMs)
  }

  encode(encoder: GroupEncoder): number {
    const { closes, seq, producer } = this.#command
    return encoder.add({ kind: 'append', id: this.stream.id, start: this.start, bytes: this.#bytes, atMs: this.#atMs, closes, seq, producer })
  }

  commit(): void {
    this.stream.committedTail = this.end
    this.stream.committedClosed = this.#closed
  }

  undo(): void {
    const { stream } = this
    const { closed, closedBy, seq, progress, touchedAtMs, storedTouchMs } = this.#before
    const { producer } = this.#command
    stream.tail = this.start
    stream.closed = closed
    stream.closedBy = closedBy
    stream.seq = seq
    stream.touchedAtMs = touchedAtMs
    stream.storedTouchMs = storedTouchMs
    if (producer === null) return
    if (progress === null) stream.producers.delete(producer.id)
    else stream.producers.set(producer.id, progress)
  }
}

/** Decides a creation with its initial bytes; `before` had the name. */
export function createOperation(
  registry: Registry,
  stream: StreamState,
  created: CreatedStream,
  bytes: Uint8Array,
  before: StreamState | null,
): Operation {
  const { start, id } = stream
  const end = start + bytes.byteLength
  const { fork } = stream
  stream.tail = end
  stream.committedTail = start
  stream.before = before
  registry.add(stream)
  if (fork) registry.countFork(fork.parentId, 1)
  const append = { kind: 'append', id, start, bytes, atMs: created.createdAtMs, closes: false, seq: null, producer: null } as const
  return {
    stream,
    encode: encoderOf(bytes.byteLength === 0 ? [{ kind: 'create', stream: created }] : [{ kind: 'create', stream: created }, append]),
    start,
    end,
    commit() {
      stream.exists = true
      stream.before = null
      stream.committedTail = end
    },
    undo() {
      registry.remove(stream, before)
      stream.removal = 'purged'
      if (fork) registry.countFork(fork.parentId, -1)
    },
  }
}

/** Decides a deletion that keeps the bytes for forks. (PROTOCOL.md §4.2: soft-deleted) */
export function hideOperation(stream: StreamState): Operation {
  stream.removal = 'hidden'
  return {
    stream,
    encode: encoderOf([{ kind: 'hide', id: stream.id }]),
    ...noBytes,
    commit() {
      stream.committedRemoval = 'hidden'
    },
    undo() {
      stream.removal = 'none'
    },
  }
}

/** Decides a deletion for good. `purged` runs after the commit. */
export function purgeOperation(stream: StreamState, purged: () => void): Operation {
  const { removal } = stream
  stream.removal = 'purged'
  return {
    stream,
    encode: encoderOf([{ kind: 'purge', id: stream.id }]),
    ...noBytes,
    commit() {
      stream.committedRemoval = 'purged'
      purged()
    },
    undo() {
      stream.removal = removal
    },
  }
}

export function touchOperation(stream: StreamState, atMs: number): Operation {
  const { storedTouchMs } = stream
  stream.storedTouchMs = atMs
  return {
    stream,
    encode: encoderOf([{ kind: 'touch', id: stream.id, atMs }]),
    ...noBytes,
    commit() {},
    undo() {
      stream.storedTouchMs = storedTouchMs // the next read tries again
    },
  }
}

/** Appends one stored record to a stream that is being built out of sight. */
export function stageAppendOperation(stream: StreamState, bytes: Uint8Array, nowMs: number): Operation {
  const command = { path: stream.path, mediaType: stream.mediaType, body: null, closes: false, seq: null, producer: null }
  return new AppendOperation(stream, command, bytes, nowMs)
}

/** Gives a stream that was built out of sight its name and the rest of its state; `before` had the name. */
export function installOperation(
  registry: Registry,
  stream: StreamState,
  facts: { path: string; closed: boolean; seq: string | null; producers: readonly ProducerState[] },
  nowMs: number,
  before: StreamState | null,
): Operation {
  const hidden = stream.path
  const { id, tail } = stream
  const state = { kind: 'append', id, start: tail, bytes: new Uint8Array(0), atMs: nowMs } as const
  const records: LogRecord[] = [
    { kind: 'rename', id, path: facts.path },
    ...facts.producers.map(producer => ({ ...state, closes: false, seq: null, producer })),
    { ...state, closes: facts.closed, seq: facts.seq, producer: null },
  ]
  registry.rename(stream, facts.path)
  stream.exists = false // under this name
  stream.before = before
  stream.closed = facts.closed
  stream.seq = facts.seq
  stream.touchedAtMs = nowMs
  for (const producer of facts.producers) stream.producers.set(producer.id, producer)
  return {
    stream,
    encode: encoderOf(records),
    ...noBytes,
    commit() {
      stream.exists = true
      stream.before = null
      stream.committedClosed = facts.closed
      stream.announced = false // followers meet it under its name now
    },
    undo() {
      registry.rename(stream, hidden)
      if (before !== null) registry.add(before)
      stream.exists = true
      stream.before = null
      stream.closed = false
      stream.seq = null
      stream.producers.clear()
    },
  }
}

export function metaOperation(changes: readonly { readonly key: string; readonly value: string | null }[]): Operation {
  const records = changes.map(({ key, value }) => ({ kind: 'meta', key, value }) as const)
  return { stream: null, encode: encoderOf(records), ...noBytes, commit() {}, undo() {} }
}
