/** Identifiers inside SQL text, and names where SQL wants a string. Values are bound, never written; names come from the schema only. */

/** `name` as a quoted identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A table or view of a database, quoted. */
export function qualified(database: string, name: string): string {
  return `${quoted(database)}.${quoted(name)}`
}

/** `text` as a string literal, for what cannot be bound: in triggers and pragmas. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
