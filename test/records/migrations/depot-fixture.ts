/** A depot laid out as TrailBase's test fixture is, with tables of our own and the same traps; and one that can be changed step by step. */
import { Database } from 'bun:sqlite'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { OperatorError } from '../../../src/lib/errors.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { registerFunctions } from '../../../src/records/functions/register.ts'
import { applyMigrations, type AppliedMigrations } from '../../../src/records/migrations/apply.ts'
import { createAdmin, type AdminCredentials } from '../../../src/records/migrations/first-admin.ts'
import { memoryLog, type Line } from '../../support/memory-log.ts'

export function functions(db: Database): void {
  const schemas = new Map([['person', { type: 'object', required: ['name'], properties: { name: { type: 'string' } } }]])
  registerFunctions(db, { schemas, ids: systemIds, clock: systemClock })
}

export class FixtureDepot implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'headwater-depot-'))
  readonly lines: Line[] = []

  write(name: string, text: string): string {
    const path = join(this.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  }

  file(database: string): string {
    mkdirSync(join(this.path, 'data'), { recursive: true })
    return join(this.path, 'data', `${database}.db`)
  }

  migrate(database = 'main'): AppliedMigrations {
    const migrations = join(this.path, 'migrations')
    return applyMigrations({
      database,
      path: this.file(database),
      directory: database === 'session' ? null : join(migrations, database),
      legacyDirectory: database === 'main' ? migrations : null,
      functions,
      clock: systemClock,
      log: memoryLog(this.lines),
    })
  }

  /** The words of the refusal, with the depot's own path taken out. */
  refusal(database = 'main'): string {
    try {
      this.migrate(database)
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      return error.message.replaceAll(`${this.path}/`, '')
    }
    throw new Error('the migrations were applied')
  }

  admin(): Promise<AdminCredentials | null> {
    return createAdmin({ path: this.file('main'), functions, ids: systemIds, clock: systemClock })
  }

  rows(sql: string, database = 'main'): readonly unknown[] {
    using db = new Database(this.file(database), { create: true, readwrite: true })
    functions(db)
    db.run('PRAGMA foreign_keys = ON')
    return db.query(sql).all()
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Users with the column that only exists until the last step, functions in checks and defaults, views, triggers, a second database. */
export function fixtureDepot(): FixtureDepot {
  const depot = new FixtureDepot()
  depot.write(
    'migrations/main/U1725019362__users.sql',
    `-- verified is dropped later on
INSERT INTO _user (id, email, username, password_hash, verified, admin) VALUES (uuid_v4(), 'admin@localhost', 'admin', hash_password('secret'), TRUE, TRUE);
INSERT INTO _user (email, password_hash, verified) VALUES ('Eve@localhost', hash_password('secret'), 1), ('pending@localhost', hash_password('secret'), 0);`,
  )
  depot.write(
    'migrations/main/U1728810800__notes.sql',
    `CREATE TABLE note (
  id BLOB PRIMARY KEY NOT NULL CHECK (is_uuid_v7(id)) DEFAULT (uuid_v7()),
  owner BLOB NOT NULL REFERENCES _user(id) ON DELETE CASCADE,
  body TEXT NOT NULL DEFAULT 'a;b',
  about TEXT CHECK (jsonschema('person', about)) DEFAULT '{"name": "nobody"}',
  picture TEXT CHECK (jsonschema('std.FileUpload', picture, 'image/png')),
  tags TEXT CHECK (jsonschema_matches('{"type": "array"}', tags)),
  slug TEXT CHECK (regexp('^[a-z]+$', slug)),
  created INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
CREATE TRIGGER note_touched AFTER UPDATE ON note WHEN NEW.body <> OLD.body BEGIN
  UPDATE note SET created = CASE WHEN OLD.created > 0 THEN unixepoch() ELSE 0 END WHERE id = NEW.id;
  SELECT 1;
END;
CREATE VIEW author AS SELECT _user.*, count(note.id) AS notes FROM _user LEFT JOIN note ON note.owner = _user.id GROUP BY _user.id;
INSERT INTO note (owner, tags, slug) SELECT id, '["x"]', 'abc' FROM _user WHERE email = 'eve@localhost';`,
  )
  depot.write(
    'migrations/main/deeper/U1771400000__places.sql',
    `CREATE TABLE place (id INTEGER PRIMARY KEY, geom BLOB CHECK (ST_IsValid(geom))) STRICT;
INSERT INTO place (geom) VALUES (ST_GeomFromText('POINT(1 2)', 4326)), (ST_MakeEnvelope(0, 0, 1, 1)), (NULL);`,
  )
  depot.write('migrations/main/U1790000000__later.sql', "UPDATE _user SET unverified_email = 'new@localhost' WHERE email = 'eve@localhost'")
  depot.write('migrations/other/U1760000000__files.sql', "CREATE TABLE upload (id INTEGER PRIMARY KEY, file TEXT CHECK (jsonschema('std.FileUpload', file))) STRICT")
  return depot
}
