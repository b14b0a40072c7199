/** The store of memory mode: nothing is written anywhere, so nothing is ever applied and everything stays with the engine. */
import type { ShardStore } from './store.ts'

/** `firstId` differs at every start (a clock), so that an ETag of an earlier run never fits a stream of this one. */
export function memoryShard(firstId: number): ShardStore {
  return {
    lastId: firstId,
    lastGroup: 0,
    onApplied: () => {},
    commit: () => Promise.resolve(),
    drain: () => Promise.resolve(),
    close: () => Promise.resolve(),
    forget: () => {},
    streamByPath: () => null,
    streamById: () => null,
    producer: () => null,
    producers: () => [],
    blockAt: () => null,
    list: () => [],
    expired: () => [],
    hidden: () => [],
    forkCounts: () => [],
    meta: () => [],
  }
}
