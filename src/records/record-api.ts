/** One record API as it was compiled from configuration and schema: what every part of records/ works with. Compiling is catalog/compile-api.ts. */
import type { Column, Relation } from './catalog/relation.ts'

/** What an ACL grants; list and subscribe use `read`. */
export type RecordAction = 'create' | 'read' | 'update' | 'delete' | 'schema'

export interface RecordApi {
  readonly name: string
  readonly relation: Relation
  /** Columns of the relation that this API has, in its order: all but the excluded ones. Hidden ones (`_…`) are among them. */
  readonly columns: readonly Column[]
  /** The same by name. */
  readonly columnsByName: ReadonlyMap<string, Column>
  /** Columns of an answer, filter, order and aggregate: `columns` without the hidden ones. */
  readonly visible: readonly Column[]
  readonly key: readonly Column[]
  readonly acl: { readonly world: ReadonlySet<RecordAction>; readonly authenticated: ReadonlySet<RecordAction> }
  /** SQL expressions as configured; null: the ACL alone decides. records/rules.ts makes statements of them. */
  readonly rules: Readonly<Record<RecordAction, string | null>>
  /** What is known of each rule; null where there is none. */
  readonly facts: Readonly<Record<RecordAction, RuleFacts | null>>
  readonly conflict: 'abort' | 'ignore' | 'replace'
  /** Columns that get the caller's id when a create leaves them out. */
  readonly autofill: readonly Column[]
  readonly enableSubscriptions: boolean
  /** What a client may expand, by the name it uses in `expand=`. */
  readonly expand: ReadonlyMap<string, ExpandTarget>
  readonly listLimitMax: number
  /** Additional databases whose tables the rules or the view name. */
  readonly attached: readonly string[]
}

export interface RuleFacts {
  /** It looks at the record that exists. */
  readonly needsRow: boolean
  readonly needsUser: boolean
  /** It looks at the values or at the names of the fields of the request. */
  readonly needsRequest: boolean
  /** Tables that it reads besides its own record, as `database.table`, sorted. */
  readonly readsTables: readonly string[]
  /** Every table it reads is found by key or index: its cost does not grow with their size. What scans goes to a reader thread. */
  readonly isKeyed: boolean
}

/**
 * Rows that a record can bring along.
 * - `parent`: the row that the foreign key `column` of this relation points to (TrailBase's expand; answers as `{"id":…,"data":{…}}`).
 * - `children`: rows of `relation` whose foreign key `via` points to this record ("reverse"); an array under `name`.
 */
export interface ExpandTarget {
  readonly name: string
  readonly kind: 'parent' | 'children'
  /** parent: column of this relation. children: the referred column of this relation. */
  readonly column: Column
  /** The other relation. */
  readonly relation: Relation
  /** parent: the referred column of `relation`. children: its foreign key column. */
  readonly via: Column
  /** Columns of `relation` that may be shown. */
  readonly visible: readonly Column[]
  /**
   * Rule that every shown row of `relation` must pass (`_ROW_`, `_USER_`), null when none. From the API named in the configuration, if any:
   * its read rule, and that the caller is a user when its ACL wants one.
   */
  readonly readRule: string | null
  /** Second hop, from `relation`. Empty on the second hop. */
  readonly next: ReadonlyMap<string, ExpandTarget>
}

/** All record APIs of one configuration and schema; replaced as a whole when either changes. */
export interface RecordCatalog {
  /** Grows with every replacement. */
  readonly version: number
  readonly apis: ReadonlyMap<string, RecordApi>
  /** Every readable table and view, by database and name, for tools of administrators and validation. */
  readonly relations: ReadonlyMap<string, Relation>
}
