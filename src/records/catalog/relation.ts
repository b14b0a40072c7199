/** What a table or view is, as the record APIs see it: columns with their types and meanings, keys. Reading it from SQLite is catalog/read-schema.ts. */

export type ColumnType = 'INTEGER' | 'REAL' | 'TEXT' | 'BLOB' | 'ANY'

/** What a column's CHECK constraint says about its content (trailbase-api.md §14). */
export type ColumnFormat =
  | { readonly kind: 'plain' }
  /** A BLOB of 16 bytes; `version` null is any. */
  | { readonly kind: 'uuid'; readonly version: 4 | 7 | null }
  /** `schema` is the JSON Schema itself, whether it came by name or in place. */
  | { readonly kind: 'json'; readonly schema: JsonSchema }
  | { readonly kind: 'file'; readonly mimeTypes: readonly string[] | null }
  | { readonly kind: 'files'; readonly mimeTypes: readonly string[] | null }
  | { readonly kind: 'geometry' }

export type JsonSchema = Readonly<Record<string, unknown>> | boolean

/** A foreign key of this column alone. */
export interface Reference {
  /** Table in the same database. */
  readonly table: string
  /** Referred column; of `REFERENCES t` without a column, the key of `t`. */
  readonly column: string
  /** It is declared on the column itself and names the other column. Autofill wants that (trailbase-api.md §5.1). */
  readonly isExplicit: boolean
}

export interface Column {
  readonly name: string
  /** Position in `Relation.columns`. */
  readonly index: number
  readonly type: ColumnType
  readonly isNullable: boolean
  /** SQL text of DEFAULT, or null. */
  readonly defaultSql: string | null
  /** Name of the collation: BINARY, NOCASE, RTRIM. */
  readonly collation: string
  /** GENERATED ALWAYS: never written. */
  readonly isGenerated: boolean
  /** The name begins with `_`: never in an answer, filter, order or aggregate; may be written, and used in rules. */
  readonly isHidden: boolean
  readonly format: ColumnFormat
  readonly reference: Reference | null
  /** Holds, or is made from, what no API may show: `_user.password_hash` and `_user.totp_secret`. */
  readonly isSecret?: true
}

export type RelationKind = 'table' | 'view' | 'search'

export interface Relation {
  /** `search` is an FTS5 table: read-only, with MATCH and rank. */
  readonly kind: RelationKind
  /** Schema name: `main` or the name of an additional database. */
  readonly database: string
  readonly name: string
  readonly columns: readonly Column[]
  /** The record key, in order; more than one for a composite key; empty when there is none (then it can be no record API). */
  readonly key: readonly Column[]
  /** Indices of the columns of each UNIQUE constraint or whole index besides the key. */
  readonly uniques?: readonly (readonly number[])[]
  readonly isStrict: boolean
  readonly isWithoutRowid: boolean
  /** SQL text of its CREATE statement. */
  readonly sql: string
  /** Why it can be no record API, as far as its schema alone says so. */
  readonly problems?: readonly string[]
}
