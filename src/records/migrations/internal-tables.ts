/** Tables of our own in every database that records live in; no API shows them. Their rows are written by storage/, records/changes and records/writing. */
import type { BuiltInStep } from './built-in.ts'

/** Numbers of `_internal_history`, not of `_schema_history`. */
export const internalSteps: readonly BuiltInStep[] = [
  {
    version: 1,
    name: 'transactions',
    run(db) {
      // One row: the number of the last transaction that wrote.
      db.run('CREATE TABLE IF NOT EXISTS _txn (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL) STRICT')
      db.run('INSERT INTO _txn (n) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM _txn)')
    },
  },
  {
    version: 2,
    name: 'changes',
    run(db) {
      // AUTOINCREMENT: a number is never given twice, also when the newest rows were removed.
      db.run(`CREATE TABLE IF NOT EXISTS _changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  txn INTEGER NOT NULL,
  at INTEGER NOT NULL,
  relation TEXT NOT NULL,
  op INTEGER NOT NULL CHECK (op IN (1, 2, 3)),
  old TEXT,
  new TEXT
) STRICT`)
    },
  },
  {
    version: 3,
    name: 'idempotency',
    run(db) {
      db.run(`CREATE TABLE IF NOT EXISTS _idempotency (
  key TEXT NOT NULL,
  principal TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  answer TEXT NOT NULL,
  created INTEGER NOT NULL,
  PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID`)
      db.run('CREATE INDEX IF NOT EXISTS _idempotency_created ON _idempotency (created)')
    },
  },
]

/** Recorded when the question whether the depot needs a first administrator has been decided (first-admin.ts). */
export const firstAdminStep = { version: 100, name: 'first_admin', checksum: '' } as const
