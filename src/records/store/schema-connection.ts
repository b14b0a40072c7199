/** One connection on which the schema of all databases is read and rules are prepared, before the store opens. Closed at once. */
import type { Clock } from '../../lib/clock.ts'
import { OperatorError } from '../../lib/errors.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { FunctionSettings } from '../functions/register.ts'
import { attachedMax, openRecordReader, type NamedDatabase } from './connection.ts'
import { Deadline, prepareConnection } from './prepare-connection.ts'

export type ReadSchemaRows = (sql: string) => readonly SqlRow[]

/** Calls `use` with a way to ask SQLite about the schema of all `databases` (`main` first). Their files exist. Throws OperatorError for too many. */
export function withSchemaConnection<Result>(
  databases: readonly NamedDatabase[],
  functions: FunctionSettings,
  clock: Clock,
  use: (read: ReadSchemaRows) => Result,
): Result {
  if (databases.length > attachedMax + 1) {
    throw new OperatorError(`there are ${databases.length - 1} additional databases; SQLite attaches ${attachedMax} to one connection`, 'name fewer in databases', 78)
  }
  const db = openRecordReader({ target: 'main', databases }, each => prepareConnection(each, functions, new Deadline(clock)))
  try {
    return use(sql => {
      using statement = db.prepare(sql)
      return statement.safeIntegers(true).values() as SqlRow[]
    })
  } finally {
    db.close()
  }
}
