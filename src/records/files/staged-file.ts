/** A file whose bytes are stored and whose row is not. A class, so that no JSON of a client can look like one. */
import type { StoredFile } from './stored-file.ts'

export class StagedFile {
  /** A request to write took it over: whether it stays depends on the row. */
  isTaken = false

  constructor(
    readonly stored: StoredFile,
    readonly size: number,
  ) {}
}
