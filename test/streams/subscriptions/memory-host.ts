/** A stream store in memory with the host's contract: offsets, ids, durable saves, events after the commit. Survives its subscriptions. */
import type { MetaChange, StreamEvent, StreamSnapshot, SubscriptionHost, Subscriptions } from '../../../src/streams/subscriptions/subscriptions.ts'

interface MemoryStream {
  readonly path: string
  readonly id: number
  readonly contentType: string
  readonly messages: string[]
  bytes: number
}

export class MemoryStore {
  readonly meta = new Map<string, string>()
  readonly #streams = new Map<string, MemoryStream>()
  #nextId = 1
  #listener: Subscriptions | null = null
  /** Set to make every save fail, as a full disk does. */
  saveFailure: Error | null = null
  saves = 0

  /** A host for one life of the server. After `kill()` nothing that it still wants reaches the store. */
  host(): SubscriptionHost & { kill(): void } {
    let dead = false
    return {
      kill: () => void (dead = true),
      snapshot: path => snapshotOf(this.#streams.get(path)),
      streams: () => [...this.#streams.values()].map(stream => snapshotOf(stream)).filter(stream => stream !== null),
      append: async (path, message) => !dead && this.push(path, message),
      save: async changes => {
        await new Promise(resolve => setImmediate(resolve))
        if (dead) throw new Error('this server is dead')
        this.#save(changes)
      },
      load: prefix => [...this.meta].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value })),
      compareOffsets: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    }
  }

  /** Events go to `subscriptions` from now on; null: nobody listens (the server is down). */
  listen(subscriptions: Subscriptions | null): void {
    this.#listener = subscriptions
  }

  create(path: string, ...messages: readonly string[]): string {
    const stream = { path, id: this.#nextId++, contentType: 'application/json', messages: [...messages], bytes: messages.join('').length }
    this.#streams.set(path, stream)
    this.#emit('created', stream)
    return tailOf(stream)
  }

  push(path: string, message: string): boolean {
    const stream = this.#streams.get(path)
    if (stream === undefined) return false
    stream.messages.push(message)
    stream.bytes += message.length
    this.#emit('appended', stream)
    return true
  }

  remove(path: string): void {
    const stream = this.#streams.get(path)
    this.#streams.delete(path)
    if (stream !== undefined) this.#emit('deleted', stream)
  }

  tail(path: string): string {
    return snapshotOf(this.#streams.get(path))?.tail ?? ''
  }

  messages(path: string): readonly unknown[] {
    return (this.#streams.get(path)?.messages ?? []).map(message => JSON.parse(message))
  }

  #save(changes: readonly MetaChange[]): void {
    if (this.saveFailure !== null) throw this.saveFailure
    this.saves++
    for (const { key, value } of changes) {
      if (value === null) this.meta.delete(key)
      else this.meta.set(key, value)
    }
  }

  #emit(kind: StreamEvent['kind'], stream: MemoryStream): void {
    this.#listener?.onEvents([{ kind, path: stream.path, id: stream.id, tail: tailOf(stream) }])
  }
}

function snapshotOf(stream: MemoryStream | undefined): StreamSnapshot | null {
  return stream === undefined ? null : { path: stream.path, id: stream.id, tail: tailOf(stream), contentType: stream.contentType }
}

function tailOf(stream: MemoryStream): string {
  return `0000000000000000_${String(stream.bytes).padStart(16, '0')}`
}
