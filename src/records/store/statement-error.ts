/** A reading statement that SQLite refused: what it said, for whoever wrote the statement. The caller decides whether that is a client. */

export class StatementError extends Error {
  override name = 'StatementError'
  constructor(
    /** SQLite's extended result code; 1 also for what a registered function threw. */
    readonly errno: number,
    message: string,
  ) {
    super(message)
  }
}
