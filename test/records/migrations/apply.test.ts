/** Migrations on real files: order among our own steps, history, failures that leave nothing behind, depots that others began. */
import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FixtureDepot, fixtureDepot } from './depot-fixture.ts'

const builtIn = [1, 2, 3, 4, 5, 6, 7, 8]
const last = 1_785_764_695

function created(sql = 'CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE) STRICT'): FixtureDepot {
  const depot = new FixtureDepot()
  depot.write('migrations/main/U100__t.sql', sql)
  depot.migrate()
  return depot
}

describe('a depot laid out as TrailBase’s fixture', () => {
  test('is migrated in one order, and ends in the final shape', () => {
    using depot = fixtureDepot()
    const { applied, isNew, warnings } = depot.migrate()
    expect(applied.map(step => step.version)).toEqual([...builtIn, 1_725_019_362, 1_728_810_800, 1_771_400_000, last, 1_790_000_000])
    expect({ isNew, warnings }).toEqual({ isNew: true, warnings: [] })
    expect(depot.rows('SELECT name FROM pragma_table_info("_user")').map(row => Object.values(row as object)[0])).toEqual([
      'id', 'email', 'unverified_email', 'username', 'password_hash', 'admin', 'totp_secret', 'created', 'updated', 'provider_id', 'provider_user_id', 'provider_avatar_url',
    ])
    expect(depot.rows('SELECT email, unverified_email, username, admin, is_uuid_v4(id) AS ok FROM _user ORDER BY rowid')).toEqual([
      { email: 'admin@localhost', unverified_email: null, username: 'admin', admin: 1, ok: 1 },
      { email: 'Eve@localhost', unverified_email: 'new@localhost', username: null, admin: 0, ok: 1 },
      { email: null, unverified_email: 'pending@localhost', username: null, admin: 0, ok: 1 },
    ])
    expect(depot.rows("SELECT notes FROM author WHERE email = 'eve@localhost'")).toEqual([{ notes: 1 }])
    expect(depot.rows("DELETE FROM _user WHERE email = 'eve@localhost' RETURNING 1 AS gone")).toEqual([{ gone: 1 }])
    expect(depot.rows('SELECT count(*) AS notes FROM note')).toEqual([{ notes: 0 }])
    expect(depot.rows('SELECT count(*) AS places FROM place')).toEqual([{ places: 3 }])
    expect(depot.rows('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })

  test('has a history in TrailBase’s columns, and nothing to do the second time', () => {
    using depot = fixtureDepot()
    depot.migrate()
    expect(depot.migrate()).toEqual({ isNew: false, applied: [], adminDecided: false, warnings: [] })
    expect(depot.rows('SELECT version, name, length(checksum) AS sum, applied_on > \'2020-01-01T\' AS at FROM _schema_history WHERE version = 1728810800')).toEqual([
      { version: 1_728_810_800, name: 'notes', sum: 64, at: 1 },
    ])
  })

  test('that lacks nothing is not written to, and says what was decided about its administrator', async () => {
    using depot = fixtureDepot()
    depot.migrate()
    expect(await depot.admin()).toBeNull()
    const header = () => readFileSync(depot.file('main')).subarray(0, 100)
    const before = header()
    // Held by another connection: what needed the lock would wait for ten seconds, then fail.
    const other = new Database(depot.file('main'))
    other.run('BEGIN IMMEDIATE')
    try {
      expect(depot.migrate()).toEqual({ isNew: false, applied: [], adminDecided: true, warnings: [] })
    } finally {
      other.close()
    }
    expect(header()).toEqual(before)
  })

  test('has a second database and one for sessions', () => {
    using depot = fixtureDepot()
    expect(depot.migrate('other').applied.map(step => step.version)).toEqual([2, 6, 1_760_000_000])
    expect(tables(depot, 'other')).toEqual(['_changes', '_file_deletions', '_idempotency', '_internal_history', '_schema_history', '_txn', 'upload'])
    expect(depot.migrate('session').applied.map(step => step.version)).toEqual([1, 2])
    expect(tables(depot, 'session')).toEqual(['_authorization_code', '_otp_code', '_schema_history', '_session'])
  })

  test('has its own administrator, so that none is made', async () => {
    using depot = fixtureDepot()
    depot.migrate()
    expect(await depot.admin()).toBeNull()
  })
})

describe('the first administrator', () => {
  test('is made once, with a password that fits its hash', async () => {
    using depot = new FixtureDepot()
    depot.migrate()
    const admin = await depot.admin()
    expect([admin?.email, admin?.username]).toEqual(['admin@localhost', 'admin'])
    expect(admin?.password).toMatch(/^[A-Za-z0-9_-]{20}$/)
    const [row] = depot.rows('SELECT password_hash AS hash, admin FROM _user') as { hash: string; admin: number }[]
    expect(row?.admin).toBe(1)
    expect(row?.hash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$')
    expect(await Bun.password.verify(admin?.password ?? '', row?.hash ?? '')).toBe(true)
    depot.rows('DELETE FROM _user')
    depot.migrate()
    expect(await depot.admin()).toBeNull()
  })

  test('is made also when the first start failed at a migration', async () => {
    using depot = new FixtureDepot()
    depot.write('migrations/main/U9__bad.sql', 'CREATE')
    expect(depot.refusal()).toContain('U9__bad.sql:1 failed: incomplete input')
    depot.write('migrations/main/U9__bad.sql', 'CREATE TABLE a (a)')
    expect(depot.migrate().isNew).toBe(false)
    expect((await depot.admin())?.username).toBe('admin')
  })

  test('is not made in a depot that somebody else began', async () => {
    using depot = new FixtureDepot()
    depot.rows('CREATE TABLE _schema_history (version INT8 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))')
    depot.rows("INSERT INTO _schema_history VALUES (2, 'x', '2024-01-01T00:00:00Z', '123')")
    expect(depot.migrate().isNew).toBe(false)
    expect(await depot.admin()).toBeNull()
  })
})

describe('a migration that fails', () => {
  const failures: readonly (readonly [what: string, sql: string, words: string])[] = [
    ['a statement', 'CREATE TABLE u (a);\n\nINSERT INTO u\n  SELECT x;', 'migrations/main/U200__u.sql:3 failed: no such column: x\n  INSERT INTO u\n    SELECT x'],
    ['syntax', 'CREATE TABLE u (a);\nCREATE TABEL v (a)', 'U200__u.sql:2 failed: near "TABEL": syntax error'],
    ['a check', "CREATE TABLE u (id BLOB CHECK (is_uuid(id)));INSERT INTO u VALUES (x'00')", 'U200__u.sql:1 failed: CHECK constraint failed: is_uuid(id)\n  INSERT INTO u'],
    ['a transaction of its own', 'CREATE TABLE u (a);\nCOMMIT;', 'U200__u.sql:2 failed: COMMIT cannot be used, because a migration runs in a transaction of its own'],
    ['a trigger that rolls back', "CREATE TABLE u (a); CREATE TRIGGER r BEFORE INSERT ON u BEGIN SELECT RAISE(ROLLBACK, 'no'); END; INSERT INTO u VALUES (1)", 'U200__u.sql:1 failed: no'],
    ['a reference to nothing', 'CREATE TABLE u (a REFERENCES t(a)); INSERT INTO u VALUES (7), (8);', 'U200__u.sql failed: foreign keys would refer to missing rows: 2 rows of "u" → "t"'],
    ['a function that throws', "SELECT regexp('(', 'a')", 'U200__u.sql:1 failed: '],
  ]
  test.each(failures)('by %s leaves the database as it was', (_, sql, words) => {
    using depot = created()
    depot.rows("INSERT INTO t VALUES (1, 'x')")
    const before = depot.rows('SELECT * FROM sqlite_schema')
    depot.write('migrations/main/U200__u.sql', sql)
    expect(depot.refusal()).toContain(words)
    expect(depot.rows('SELECT * FROM sqlite_schema')).toEqual(before)
    expect(depot.rows('SELECT max(version) AS last FROM _schema_history WHERE version < 1000')).toEqual([{ last: 100 }])
    depot.write('migrations/main/U200__u.sql', 'CREATE TABLE u (a)')
    expect(depot.migrate().applied.map(step => step.version)).toEqual([200])
  })

  test('keeps the ones before it', () => {
    using depot = new FixtureDepot()
    depot.write('migrations/main/U10__a.sql', 'CREATE TABLE a (a)')
    depot.write('migrations/main/U11__b.sql', 'CREATE TABLE a (a)')
    expect(depot.refusal()).toContain('U11__b.sql:1 failed: table a already exists')
    expect(tables(depot, 'main')).toContain('a')
    expect(depot.rows('SELECT max(version) AS last FROM _schema_history')).toEqual([{ last: 10 }])
  })

  test('an error at the commit undoes it too', () => {
    using depot = created('CREATE TABLE t (a INTEGER PRIMARY KEY, c REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED)')
    depot.write('migrations/main/U200__u.sql', 'INSERT INTO t VALUES (1, 2)')
    expect(depot.refusal()).toContain('1 row of "t" → "t"')
    expect(depot.rows('SELECT count(*) AS n FROM t')).toEqual([{ n: 0 }])
  })
})

describe('foreign keys', () => {
  test('are off, so that a table can take the place of another one', () => {
    using depot = created('CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id) ON DELETE CASCADE); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)')
    depot.write('migrations/main/U200__p.sql', 'CREATE TABLE p2 (id INTEGER PRIMARY KEY, b TEXT); INSERT INTO p2 (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;')
    depot.migrate()
    expect(depot.rows('SELECT count(*) AS n FROM c')).toEqual([{ n: 1 }])
  })

  test('what was broken before is not the migration’s mistake', () => {
    using depot = created('CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id))')
    using db = new Database(depot.file('main'))
    db.run('PRAGMA foreign_keys = OFF')
    db.run('INSERT INTO c VALUES (5)')
    depot.write('migrations/main/U200__x.sql', 'CREATE TABLE x (a)')
    expect(depot.migrate().applied).toHaveLength(1)
    depot.write('migrations/main/U201__x.sql', 'INSERT INTO c VALUES (6), (7)')
    expect(depot.refusal()).toContain('2 rows of "c" → "p"')
  })
})

describe('files', () => {
  test('missing older ones are applied later; changed and vanished ones are told', () => {
    using depot = created()
    depot.write('migrations/main/U50__older.sql', 'CREATE TABLE older (a)')
    expect(depot.migrate().applied.map(step => step.version)).toEqual([50])
    const changed = depot.write('migrations/main/U50__older.sql', 'CREATE TABLE older (a, b)')
    rmSync(join(depot.path, 'migrations/main/U100__t.sql'))
    expect(depot.migrate()).toMatchObject({
      applied: [],
      warnings: [`${changed} has changed since it was applied; it is not applied again`, 'migration 100 (t) was applied, but its file is gone'],
    })
    expect(depot.lines.filter(line => line.level === 'warn')).toHaveLength(2)
  })

  test('names: fractions, V, older layout; others are told', () => {
    using depot = new FixtureDepot()
    depot.write('migrations/main/U20.5__between.sql', 'CREATE TABLE between20 (a)')
    depot.write('migrations/main/V20__v.sql', 'CREATE TABLE v (a)')
    depot.write('migrations/U21__flat.sql', 'CREATE TABLE flat (a)')
    depot.write('migrations/other/U22__not_main.sql', 'CREATE TABLE no (a)')
    depot.write('migrations/main/.trash/U23__hidden.sql', 'CREATE TABLE no (a)')
    depot.write('migrations/main/README.md', 'no')
    const other = depot.write('migrations/main/24-name.sql', 'CREATE TABLE no (a)')
    const { applied, warnings } = depot.migrate()
    expect(applied.map(step => step.version)).toEqual([...builtIn, 20, 20.5, 21, last])
    expect(warnings).toEqual([`${other} is not applied: a migration is named U<number>__<name>.sql, with a name of letters, digits and "_"`])
    expect(depot.migrate().applied).toEqual([])
  })

  test('as Kubernetes mounts them: links into a hidden directory', () => {
    using depot = new FixtureDepot()
    depot.write('migrations/main/..2026/U20__a.sql', 'CREATE TABLE a (a)')
    symlinkSync('..2026', join(depot.path, 'migrations/main/..data'))
    symlinkSync('..data/U20__a.sql', join(depot.path, 'migrations/main/U20__a.sql'))
    expect(depot.migrate().applied.map(step => step.version)).toEqual([...builtIn, 20, last])
  })

  test('a number that is taken is refused', () => {
    using depot = new FixtureDepot()
    depot.write('migrations/main/U1__a.sql', 'CREATE TABLE a (a)')
    expect(depot.refusal()).toBe('migrations/main/U1__a.sql: version 1 belongs to a step of the server (it has 1, 2, 3, 4, 5, 6, 7, 8, 1785764695)')
    depot.write('migrations/other/U3__a.sql', 'CREATE TABLE a (a)')
    depot.write('migrations/other/sub/V3__b.sql', 'CREATE TABLE b (a)')
    expect(depot.refusal('other')).toBe('two migrations have version 3: migrations/other/U3__a.sql and migrations/other/sub/V3__b.sql')
  })

  test('a directory that cannot be written is enough, none too', () => {
    using depot = new FixtureDepot()
    depot.write('migrations/main/U20__a.sql', 'CREATE TABLE a (a)')
    chmodSync(join(depot.path, 'migrations/main'), 0o555)
    expect(depot.migrate().applied).toHaveLength(10)
    chmodSync(join(depot.path, 'migrations/main'), 0o755)
    expect(depot.migrate('lone').applied.map(step => step.version)).toEqual([2, 6])
  })

  test('text that is not UTF-8 is refused', () => {
    using depot = new FixtureDepot()
    mkdirSync(join(depot.path, 'migrations/main'), { recursive: true })
    writeFileSync(join(depot.path, 'migrations/main/U20__a.sql'), Uint8Array.of(0xff, 0xfe))
    expect(depot.refusal()).toBe('migrations/main/U20__a.sql is not text in UTF-8')
  })
})

test('a depot that an older TrailBase left keeps its users, TOTP secrets and what others put on the table', () => {
  using depot = new FixtureDepot()
  depot.rows('CREATE TABLE _schema_history (version INT8 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))')
  for (let version = 1; version <= 6; version++) depot.rows(`INSERT INTO _schema_history VALUES (${version}, 'theirs', '2024-01-01T00:00:00Z', '1234567890')`)
  using db = new Database(depot.file('main'))
  db.run(`CREATE TABLE _user (id BLOB PRIMARY KEY NOT NULL, email TEXT NOT NULL COLLATE NOCASE, verified INTEGER NOT NULL DEFAULT 0, password_hash TEXT NOT NULL DEFAULT '',
    admin INTEGER NOT NULL DEFAULT 0, totp_secret TEXT, email_verification_code TEXT, created INTEGER NOT NULL DEFAULT 1, updated INTEGER NOT NULL DEFAULT 1) STRICT;
    CREATE UNIQUE INDEX __user__email_verification_code_index ON _user (email_verification_code);
    CREATE TABLE audit (n INTEGER);
    CREATE TRIGGER mine AFTER UPDATE ON _user BEGIN INSERT INTO audit VALUES (1); END;
    CREATE TABLE post (author BLOB REFERENCES _user(id) ON DELETE CASCADE);
    CREATE VIEW people AS SELECT email FROM _user;
    INSERT INTO _user (id, email, verified, totp_secret) VALUES (x'00112233445566778899aabbccddeeff', 'a@b.org', 1, 'ABC');
    INSERT INTO post SELECT id FROM _user`)
  db.close()
  expect(depot.migrate().applied.map(step => step.version)).toEqual([7, 8, last])
  expect(depot.rows('SELECT email, totp_secret, created, provider_id FROM _user')).toEqual([{ email: 'a@b.org', totp_secret: 'ABC', created: 1, provider_id: 0 }])
  depot.rows("UPDATE _user SET username = 'a'")
  expect(depot.rows('SELECT (SELECT count(*) > 0 FROM audit) AS audited, (SELECT updated > 1 FROM _user) AS touched, (SELECT email FROM people) AS seen')).toEqual([{ audited: 1, touched: 1, seen: 'a@b.org' }])
  expect(depot.rows('SELECT count(*) AS posts FROM post, _user WHERE author = _user.id')).toEqual([{ posts: 1 }])
})

test('updating a user twice in one second is no endless trigger', () => {
  using depot = new FixtureDepot()
  depot.migrate()
  using db = new Database(depot.file('main'))
  db.run('PRAGMA recursive_triggers = ON')
  depot.rows("INSERT INTO _user (username) VALUES ('a')")
  db.run("UPDATE _user SET username = 'b'; UPDATE _user SET username = 'c'")
  expect(depot.rows('SELECT username FROM _user')).toEqual([{ username: 'c' }])
})

function tables(depot: FixtureDepot, database: string): readonly unknown[] {
  const rows = depot.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", database)
  return rows.map(row => (row as { name: string }).name)
}
