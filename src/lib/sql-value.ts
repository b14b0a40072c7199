/** One value of SQLite as the product holds it: exact integers are bigint, so a number is always REAL. Converting from and to JSON is records/. */

export type SqlValue = null | bigint | number | string | Uint8Array

/** The values of one row in the order of the statement's columns. */
export type SqlRow = readonly SqlValue[]
