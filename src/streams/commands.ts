/** What a request asks of a stream, and what came of it: plain values between protocol/ and the service. */
import type { Refusal } from '../lib/errors.ts'
import type { ProducerClaim } from './producer.ts'

/** A place in a stream as an offset token names it. Positions are bytes from the start. */
export interface Position {
  readonly incarnation: number
  readonly at: number
}

export interface CreateCommand {
  readonly path: string
  /** As sent; null when absent or blank: a fork inherits its source's, others get application/octet-stream. */
  readonly contentType: string | null
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
  readonly closed: boolean
  readonly fork: ForkCommand | null
  readonly body: Uint8Array
}

export interface ForkCommand {
  readonly from: string
  /** null: the source's tail. */
  readonly offset: Position | null
  readonly subOffset: number
}

export interface CreateResult {
  readonly created: boolean
  readonly contentType: string
  readonly tail: number
  readonly closed: boolean
}

/** The stored form of a body: JSON values each followed by a comma, any other bytes as they came. */
export type Framed = { readonly kind: 'record'; readonly bytes: Uint8Array } | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface AppendCommand {
  readonly path: string
  /** Media type in lower case without parameters; null on a close without a body. */
  readonly mediaType: string | null
  /** null: nothing to append (close only). A body that is not acceptable is refused only after the checks of §5.2.1. */
  readonly body: Framed | null
  readonly closes: boolean
  readonly seq: string | null
  readonly producer: ProducerClaim | null
}

export interface AppendResult {
  readonly kind: 'appended' | 'closed' | 'duplicate'
  readonly tail: number
  readonly closed: boolean
  readonly producer: { readonly epoch: number; readonly seq: number } | null
}

export type LiveMode = 'long-poll' | 'sse'

export interface ReadCommand {
  readonly path: string
  readonly from: Position | 'start' | 'now'
  readonly live: LiveMode | null
  /** The client's cursor, as far as it is a number. */
  readonly cursor: number | null
  readonly ifNoneMatch: string | null
}

/** A page of a stream, read at one moment: bytes, position and flags belong together. */
export interface Page {
  readonly streamId: number
  readonly contentType: string
  readonly json: boolean
  readonly start: number
  readonly end: number
  /** The stored bytes as they go out: for JSON a whole array. */
  readonly body: Uint8Array
  /** The page reaches the tail of this moment. */
  readonly upToDate: boolean
  /** The page reaches the end of a closed stream. */
  readonly closed: boolean
  /** The page is full: what it holds never changes. */
  readonly full: boolean
}

export interface HeadResult {
  readonly contentType: string
  readonly tail: number
  readonly closed: boolean
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
}
