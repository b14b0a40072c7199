/** One subscription in memory: its links, which of them have work, and where its wake stands. Finding it is registry.ts. */
import { compilePattern, type PathPattern } from '../../lib/pattern.ts'
import { startOffset } from './lease.ts'
import type { SubscriptionConfig } from './schema.ts'
import type { StoredLink, StoredRecord } from './store.ts'
import type { WakeState } from './wake.ts'

/** A stream that a subscription follows. The stream need not exist: an explicit link waits for it. */
export class Link {
  /** Last processed offset. Moves when it is on disk. */
  acked = startOffset
  tail = startOffset
  /** null while the stream does not exist. */
  streamId: number | null = null
  constructor(
    readonly subscription: Subscription,
    readonly path: string,
    /** Named by a client; else it is there because the pattern matches. */
    public explicit: boolean,
  ) {}
}

/** One webhook request under way, and what its body listed: exactly that is acknowledged by a `done`. */
export interface Attempt {
  readonly abort: AbortController
  readonly tails: ReadonlyMap<Link, { readonly streamId: number | null; readonly tail: string }>
}

export class Subscription {
  readonly links = new Map<string, Link>()
  /** Links whose tail is beyond what was acknowledged. */
  readonly pending = new Set<Link>()
  /** Paths whose stored link is behind the one in memory; written with the next step. */
  readonly unsaved = new Set<string>()
  /** Streams deleted or created again during this wake: acks from it would be positions of another stream, and are passed over. */
  readonly fenced = new Set<string>()
  readonly pattern: PathPattern | null
  attempt: Attempt | null = null
  deleted = false
  /** A step is already waiting for its turn. */
  poked = false
  /** The wake stream was deleted or created: look at the wake event again. */
  wakeStreamChanged = false
  cancelTimer: () => void = () => {}

  constructor(
    readonly id: string,
    /** Random, new for each creation: tokens are bound to it, so they end with a deletion. */
    readonly uid: string,
    readonly config: SubscriptionConfig,
    readonly configHash: string,
    readonly createdAtMs: number,
    /** Origin under which the creator reached the server. */
    public baseUrl: string,
    public state: WakeState,
  ) {
    const compiled = config.pattern === null ? null : compilePattern(config.pattern)
    this.pattern = typeof compiled === 'string' ? null : compiled
  }

  matches(path: string): boolean {
    return this.pattern !== null && path !== this.config.wakeStream && this.pattern.match(path) !== null
  }

  stored(state: WakeState, baseUrl: string = this.baseUrl): StoredRecord {
    return {
      id: this.id,
      uid: this.uid,
      created_at_ms: this.createdAtMs,
      base_url: baseUrl,
      config_hash: this.configHash,
      config: { ...this.config, streams: [...this.config.streams] },
      state,
    }
  }
}

export function storedLink(link: Link, acked: string = link.acked): StoredLink {
  return { id: link.subscription.id, path: link.path, explicit: link.explicit, acked, stream_id: link.streamId }
}
