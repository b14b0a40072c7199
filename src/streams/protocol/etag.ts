/** Entity tags of pages: the stream's incarnation, the range, and whether it is the end. (PROTOCOL.md §10) */
import type { Page } from '../commands.ts'

/**
 * Changes when data comes, when the stream closes, and when the name is given to a new stream. Also when the same range is
 * not the tail any more: after a 304 a cache goes on with the `Stream-Up-To-Date` that it has.
 */
export function entityTag(page: Pick<Page, 'streamId' | 'start' | 'end' | 'upToDate' | 'closed'>): string {
  return `"${page.streamId.toString(36)}:${page.start}:${page.end}${page.closed ? ':c' : page.upToDate ? ':t' : ''}"`
}

/** True when an `If-None-Match` value names `tag`: `*`, a list, weak forms. (RFC 9110 §13.1.2) */
export function tagMatches(ifNoneMatch: string, tag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  return ifNoneMatch.split(',').some(each => each.trim().replace(/^W\//, '') === tag)
}
