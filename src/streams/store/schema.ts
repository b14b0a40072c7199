/** The tables of one shard file and their version. SQL that reads and writes them is reader.ts and applier.ts. */
import type { Database } from 'bun:sqlite'
import { OperatorError } from '../../lib/errors.ts'

export const formatVersion = 1

/**
 * Segments are rows of an append-only table (new data goes to the end of the file) with an index by position; `data` is
 * null where the bytes live in a file beside the database. `sum` guards every row against flipped bytes.
 */
const tables = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE log (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE streams (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, content_type TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
  ttl_secs REAL, expires_at_ms REAL, closed INTEGER NOT NULL, start INTEGER NOT NULL, tail INTEGER NOT NULL,
  hidden INTEGER NOT NULL, touched_at_ms INTEGER NOT NULL, seq TEXT, closed_by TEXT, parent_id INTEGER, fork TEXT,
  deadline_ms REAL, small_start INTEGER NOT NULL, small_count INTEGER NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX streams_parent ON streams (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX streams_deadline ON streams (deadline_ms) WHERE deadline_ms IS NOT NULL;
CREATE TABLE producers (
  stream_id INTEGER NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (stream_id, id)
) WITHOUT ROWID;
CREATE TABLE segments (
  id INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
  ends BLOB, data BLOB, sum INTEGER NOT NULL
);
CREATE UNIQUE INDEX segments_position ON segments (stream_id, start);
CREATE TABLE dropped (stream_id INTEGER PRIMARY KEY);
`

/** Creates the tables in a fresh file, or refuses a file of a later format. Call inside no transaction. */
export function prepareSchema(db: Database, file: string): void {
  const version = db.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
  if (version > formatVersion) {
    throw new OperatorError(
      `${file} has format ${version}; this headwater reads formats up to ${formatVersion}`,
      'run the newer headwater that wrote it, or export there and import here',
      78,
    )
  }
  if (version === formatVersion) return
  db.transaction(() => {
    db.run(tables)
    db.run(`PRAGMA user_version = ${formatVersion}`)
  })()
}
