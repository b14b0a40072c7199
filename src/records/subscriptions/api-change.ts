/** One change as the subscribers of one record API may see it: its rows, its events, and who may have them. Each question is asked of SQLite once. */
import { assert } from '../../lib/assert.ts'
import { userIdOf, type Principal } from '../../lib/principal.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import { problemOf } from '../../storage/sqlite-errors.ts'
import type { Change, ReadNow } from '../changes/change-log.ts'
import { parseRow } from '../changes/row-text.ts'
import type { RecordApi } from '../record-api.ts'
import { isStorageFault } from '../refused-read.ts'
import { linkKey, renderingOf, rowText, type RowText } from '../row-json.ts'
import { StatementError } from '../store/statement-error.ts'
import type { EventFilter } from './event-filter.ts'
import { eventRule, isTrue, type EventRule } from './event-rule.ts'
import { ChangeEvent, type EventKind } from './frames.ts'
import { judgedAtOnceMax } from './limits.ts'

/** What is made of an API once for all its changes. */
export interface ApiShape {
  readonly api: RecordApi
  readonly rule: EventRule | null
  readonly text: RowText
}

export function apiShape(api: RecordApi): ApiShape {
  const fields = api.visible.map(column => ({ name: column.name, index: column.index, rendering: renderingOf(column), expand: null }))
  return { api, rule: eventRule(api), text: rowText(fields) }
}

export type EventTarget =
  | { readonly kind: 'table'; readonly filter: { readonly key: string; readonly holds: EventFilter } | null }
  /** `key` is recordKey of the record. */
  | { readonly kind: 'record'; readonly key: string }

/** `unknown`: a rule could not be judged here or now. */
export type Verdict = ChangeEvent | 'skip' | 'denied' | 'unknown'

/** Rows of one read in another thread per statement. */
export type ReadAside = (database: string, statements: readonly Statement[]) => Promise<readonly (readonly SqlRow[])[]>

/** Records whose keys SQLite holds for equal have the same. */
export function recordKey(api: RecordApi, values: SqlRow): string {
  return JSON.stringify(api.key.map((column, i) => linkKey(values[i] ?? null, column.collation)))
}

/** A row of the change, and what is known about it. */
interface Side {
  readonly row: SqlRow
  readonly key: string
  /** By the rule's key of the principal. */
  readonly readable: Map<string, boolean>
  readonly matches: Map<string, boolean>
  readonly events: Map<EventKind, ChangeEvent>
}

export class ApiChange {
  readonly #shape: ApiShape
  readonly #change: Change
  readonly #read: ReadNow
  readonly #old: Side | null
  readonly #new: Side | null

  constructor(shape: ApiShape, change: Change, read: ReadNow) {
    this.#shape = shape
    this.#change = change
    this.#read = read
    this.#old = change.old === null ? null : this.#side(change.old)
    this.#new = change.new === null ? null : this.#side(change.new)
  }

  /** Keys of the records that it is about: two when the key itself was changed. */
  get keys(): readonly string[] {
    const keys = [this.#old?.key, this.#new?.key].filter(key => key !== undefined)
    return [...new Set(keys)]
  }

  /** What a subscriber to `target` gets. A slow rule is to be judged by `judgeAside` first. */
  verdict(principal: Principal, target: EventTarget): Verdict {
    const seen = target.kind === 'table' ? this.#main() : this.#ofRecord(target.key)
    if (seen === null) return 'skip'
    const readable = this.#isReadable(seen.side, principal)
    if (readable === null) return 'unknown'
    if (!readable) return target.kind === 'table' ? 'skip' : 'denied'
    if (target.kind === 'table' && target.filter !== null && !this.#matches(seen.side, target.filter)) return 'skip'
    return this.#event(seen.side, seen.kind)
  }

  /** Judges a rule that may take long, in another thread, for all of `principals`. What fails stays unknown. */
  async judgeAside(principals: Iterable<Principal>, read: ReadAside): Promise<void> {
    const { rule, api } = this.#shape
    if (rule === null) return
    const users = new Map<string, Uint8Array | null>()
    for (const principal of principals) {
      const key = rule.keyOf(principal)
      if (key !== null) users.set(key, userIdOf(principal))
    }
    const questions = [this.#old, this.#new].flatMap(side => (side === null ? [] : [...users].map(([key, user]) => ({ side, key, statement: rule.statement(side.row, user) }))))
    for (let at = 0; at < questions.length; at += judgedAtOnceMax) {
      const some = questions.slice(at, at + judgedAtOnceMax)
      const answers = await answersOf(some.map(({ statement }) => statement), statements => read(api.relation.database, statements))
      for (const [i, { side, key }] of some.entries()) {
        const answer = answers[i] ?? null
        if (answer !== null) side.readable.set(key, answer)
      }
    }
  }

  /** The row that table subscriptions see: the new one, of a delete the old one. */
  #main(): { readonly side: Side; readonly kind: EventKind } | null {
    const { operation } = this.#change
    const side = this.#new ?? this.#old
    return side === null || operation === 'gap' ? null : { side, kind: kinds[operation] }
  }

  /** A record whose key changed is gone under the old one, and new under the other. */
  #ofRecord(key: string): { readonly side: Side; readonly kind: EventKind } | null {
    const main = this.#main()
    const old = this.#old
    if (old !== null && this.#new !== null && old.key !== this.#new.key) {
      if (key === old.key) return { side: old, kind: 'Delete' }
      return key === this.#new.key ? { side: this.#new, kind: 'Insert' } : null
    }
    return main?.side.key === key ? main : null
  }

  #isReadable(side: Side, principal: Principal): boolean | null {
    const { rule, api } = this.#shape
    const key = rule?.keyOf(principal) ?? null
    if (rule === null || key === null) return true
    const known = side.readable.get(key)
    if (known !== undefined || rule.isSlow) return known ?? null
    const { sql, params } = rule.statement(side.row, userIdOf(principal))
    const readable = holds(() => isTrue(this.#read(api.relation.database, sql, params)))
    side.readable.set(key, readable)
    return readable
  }

  #matches(side: Side, filter: { readonly key: string; readonly holds: EventFilter }): boolean {
    let matches = side.matches.get(filter.key)
    if (matches === undefined) side.matches.set(filter.key, (matches = filter.holds(side.row, this.#read)))
    return matches
  }

  #event(side: Side, kind: EventKind): ChangeEvent {
    let event = side.events.get(kind)
    if (event === undefined) side.events.set(kind, (event = new ChangeEvent(kind, this.#shape.text(side.row, []), this.#change)))
    return event
  }

  #side(text: string): Side {
    const { api } = this.#shape
    const row = parseRow(api.relation, text)
    const key = recordKey(api, api.key.map(({ index }) => row[index] ?? null))
    return { row, key, readable: new Map(), matches: new Map(), events: new Map() }
  }
}

/** One error ends a whole read: then each is asked by itself, and the rule that ends in an error denies. Null: it could not be judged. */
async function answersOf(statements: readonly Statement[], read: (statements: readonly Statement[]) => ReturnType<ReadAside>): Promise<readonly (boolean | null)[]> {
  try {
    const rows = await read(statements)
    return statements.map((_, i) => isTrue(rows[i] ?? []))
  } catch (error) {
    if (!(error instanceof StatementError) || isStorageFault(error)) return statements.map(() => null)
    if (statements.length === 1) return [false]
    const answers: (boolean | null)[] = []
    for (const statement of statements) answers.push(...(await answersOf([statement], read)))
    return answers
  }
}

const kinds = { insert: 'Insert', update: 'Update', delete: 'Delete' } as const

/** A rule that ends in an error denies. */
function holds(judge: () => boolean): boolean {
  try {
    return judge()
  } catch (error) {
    assert(problemOf(error) !== null, `a rule can be judged: ${String(error)}`)
    return false
  }
}
