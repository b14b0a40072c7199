/** Which log lines are wanted, in the grammar of RUST_LOG: `info,headwater::streams=debug,auth=off`. Writes nothing. */
import { OperatorError } from '../lib/errors.ts'
import type { LogLevel } from '../lib/log.ts'

/** Ascending; `off` is above all of them. */
export const levelOrder: Readonly<Record<LogLevel | 'off', number>> = {
  trace: 0, debug: 1, info: 2, warn: 3, error: 4, fatal: 5, off: 6,
}

export interface LogFilter {
  /** The lowest level order that is written for `target` (`streams`, `streams::subscriptions`; '' = no target). */
  threshold(target: string): number
}

interface Directive {
  readonly target: string
  readonly order: number
}

/**
 * Directives are separated by commas: `level`, `target=level` or `target` (everything of it). `headwater::x` and `x` are the same
 * target. The longest target that fits wins, the later of equals. Nothing that fits means `error`. Refuses what it cannot
 * read (OperatorError, exit 78).
 */
export function parseLogFilter(text: string): LogFilter {
  const directives = text.split(',').map(part => part.trim()).filter(part => part !== '').map(parseDirective)
  return {
    threshold(target) {
      let best: Directive = { target: '', order: levelOrder.error }
      for (const directive of directives) {
        if (covers(directive.target, target) && directive.target.length >= best.target.length) best = directive
      }
      return best.order
    },
  }
}

function parseDirective(text: string): Directive {
  const [left = '', right, ...rest] = text.split('=').map(part => part.trim())
  if (right === undefined) {
    const order = orderOf(left)
    return order === null ? { target: targetOf(left, text), order: levelOrder.trace } : { target: '', order }
  }
  const order = orderOf(right)
  if (order === null || rest.length > 0) throw unreadable(text)
  return { target: targetOf(left, text), order }
}

function orderOf(text: string): number | null {
  const name = text.toLowerCase()
  const names: Readonly<Record<string, number>> = { ...levelOrder, warning: levelOrder.warn }
  return Object.hasOwn(names, name) ? (names[name] ?? null) : null
}

function targetOf(text: string, directive: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_-]*(::[A-Za-z_][A-Za-z0-9_-]*)*$/.test(text)) throw unreadable(directive)
  return text === 'headwater' ? '' : text.replace(/^headwater::/, '')
}

function covers(directive: string, target: string): boolean {
  return directive === '' || target === directive || target.startsWith(`${directive}::`)
}

function unreadable(directive: string): OperatorError {
  return new OperatorError(
    `log.filter: expected level or target=level, got "${directive}"`,
    'Use trace, debug, info, warn, error or off, for instance "info,headwater::streams=debug".',
    78,
  )
}
