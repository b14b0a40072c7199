/** Hands committed groups over to the thread that applies them, several in one message: waking a thread costs as much as ten appends. */
import type { Clock } from '../../lib/clock.ts'

/** Groups wait for each other at the most so long, and until so many bytes are together. */
const waitMsMax = 10
const messageBytesAim = 256 * 1024

/** Consecutive groups in one piece of memory; the first has number `first`, all are in log segment `segment`. */
export interface RelayedGroups {
  readonly first: number
  readonly groups: Uint8Array<ArrayBuffer>
  readonly segment: number
}

export class GroupRelay {
  readonly #clock: Clock
  readonly #send: (relayed: RelayedGroups) => void
  #groups: Uint8Array[] = []
  #first = 0
  #segment = 0
  #bytes = 0
  #cancel: (() => void) | null = null

  /** `send` takes over the memory of what it is given. */
  constructor(clock: Clock, send: (relayed: RelayedGroups) => void) {
    this.#clock = clock
    this.#send = send
  }

  /** Takes note of a group; its memory stays the caller's and must not change until it is sent. */
  push(number: number, group: Uint8Array, segment: number): void {
    if (segment !== this.#segment) this.flush()
    if (this.#groups.length === 0) this.#first = number
    this.#groups.push(group)
    this.#segment = segment
    this.#bytes += group.byteLength
    if (this.#bytes >= messageBytesAim) this.flush()
    else this.#cancel ??= this.#clock.after(waitMsMax, () => this.flush())
  }

  /** Sends what waits. */
  flush(): void {
    this.#cancel?.()
    this.#cancel = null
    if (this.#groups.length === 0) return
    const groups = new Uint8Array(this.#bytes)
    let at = 0
    for (const group of this.#groups) {
      groups.set(group, at)
      at += group.byteLength
    }
    this.#groups = []
    this.#bytes = 0
    this.#send({ first: this.#first, groups, segment: this.#segment })
  }
}
