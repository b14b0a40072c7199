/** What a shard's writer thread and the server's thread say to each other. */
import type { RelayedGroups } from './group-relay.ts'

export interface WriterSettings {
  /** The shard's SQLite file. */
  readonly file: string
  readonly shard: number
  readonly shards: number
  /** Directory of the stream files and the commit log; null in acid mode. */
  readonly directory: string | null
  /** Whether stream files and the commit log are synced (file-durable). */
  readonly synced: boolean
  /** Bytes of a segment of the commit log. */
  readonly segmentBytes: number
}

/** To the writer. `group` numbers grow by one. */
export type ToWriter =
  | { readonly kind: 'open'; readonly settings: WriterSettings }
  | { readonly kind: 'group'; readonly number: number; readonly group: Uint8Array<SharedArrayBuffer> }
  /** The groups are in the commit log already (file modes). Their memory is transferred. */
  | ({ readonly kind: 'apply' } & RelayedGroups)
  | { readonly kind: 'segment'; readonly segment: number }
  | { readonly kind: 'drain' }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'close' }

/** From the writer. */
export type FromWriter =
  | { readonly kind: 'ready'; readonly lastId: number; readonly lastGroup: number; readonly segment: number; readonly segmentKey: number }
  | { readonly kind: 'committed'; readonly number: number }
  | { readonly kind: 'applied'; readonly number: number }
  | { readonly kind: 'full'; readonly number: number; readonly message: string }
  | { readonly kind: 'prepared'; readonly segment: number; readonly key: number }
  | { readonly kind: 'prepareFailed'; readonly segment: number; readonly full: boolean; readonly message: string }
  | { readonly kind: 'drained' }
  | { readonly kind: 'walGrown' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'refused'; readonly message: string; readonly remedy: string; readonly exitCode: number }
  | { readonly kind: 'fatal'; readonly message: string }
