/** The functions where schemas name them: CHECK, DEFAULT, generated columns, indexes, triggers, views; and what loads when. */
import { describe, expect, test } from 'bun:test'
import { Database, SQLiteError } from 'bun:sqlite'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registerFunctions } from '../../../src/records/functions/register.ts'
import { SqlFunctionError } from '../../../src/records/functions/sql-function.ts'
import { connection, contextOf, valueOf } from './connection.ts'

const tables = `
  CREATE TABLE place (
    id    BLOB PRIMARY KEY NOT NULL CHECK(is_uuid_v7(id)) DEFAULT (uuid_v7()),
    email TEXT CHECK(is_email(email)),
    tags  TEXT CHECK(jsonschema('tags', tags)),
    code  TEXT CHECK(code REGEXP '^[A-Z]+$'),
    geom  BLOB CHECK(ST_IsValid(geom)),
    east  REAL GENERATED ALWAYS AS (ST_XMax(geom)) VIRTUAL,
    name  TEXT GENERATED ALWAYS AS (uuid_text(id)) VIRTUAL
  ) STRICT;
  CREATE INDEX place_west ON place (ST_XMin(geom));
  CREATE TABLE spot (geom BLOB CHECK(ST_IsValid(geom))) STRICT;
  CREATE INDEX spot_west ON spot (ST_XMin(geom));
  CREATE VIEW near AS SELECT id FROM place WHERE ST_Within(geom, ST_MakeEnvelope(0, 0, 9, 9));
  CREATE TABLE log (text TEXT);
  CREATE TRIGGER noted AFTER INSERT ON place BEGIN INSERT INTO log VALUES (ST_AsText(NEW.geom)); END;`
const schemas = { tags: { type: 'array', items: { $ref: '#/$defs/tag' }, $defs: { tag: { type: 'string', pattern: '^[a-z]+$' } } } }

describe('a schema', () => {
  const db = connection(contextOf(schemas))
  db.run(tables)

  test('gets defaults, generated columns, index, view and trigger', () => {
    db.run("INSERT INTO place (email, tags, code, geom) VALUES ('a@b.c', '[\"x\"]', 'AB', ST_Point(2, 3, 4326)), (NULL, NULL, NULL, NULL)")
    expect(valueOf(db, 'typeof(east) || east FROM place WHERE email IS NOT NULL')).toBe('real2.0')
    expect(valueOf(db, 'is_uuid_v7(uuid_parse(name)) FROM place')).toBe(1n)
    expect(valueOf(db, 'count(*) FROM near')).toBe(1n)
    expect(valueOf(db, 'group_concat(text) FROM log')).toBe('POINT (2 3)')
    expect(String(db.query('EXPLAIN QUERY PLAN SELECT * FROM place WHERE ST_XMin(geom) > 1').values())).toContain('place_west')
  })

  test('refuses by CHECK with SQLite’s own error', () => {
    const ofGeometry = errorOf(() => db.run("INSERT INTO spot VALUES (x'00')"))
    expect([ofGeometry instanceof SQLiteError, Reflect.get(ofGeometry as object, 'errno')]).toEqual([true, 275])
    const values: Readonly<Record<string, string>> = { id: 'uuid_v4()', email: "'x'", tags: "'[1]'", code: "'a'" }
    for (const [column, value] of Object.entries(values)) {
      const error = errorOf(() => db.run(`INSERT INTO place (${column}) VALUES (${value})`))
      expect([column, error instanceof SQLiteError, Reflect.get(error as object, 'errno')]).toEqual([column, true, 275])
    }
  })

  test('fails with the message of a function that throws, and the connection goes on', () => {
    const error = errorOf(() => db.run("INSERT INTO place (email) VALUES (ST_AsText(x'07'))"))
    expect(error).toBeInstanceOf(SqlFunctionError)
    expect(valueOf(db, 'count(*) FROM place')).toBe(2n)
    expect(db.inTransaction).toBe(false)
  })

  test('refuses functions that are not deterministic where results are stored', () => {
    expect(() => db.run('CREATE INDEX i ON place (uuid_v4())')).toThrow('non-deterministic')
    expect(() => db.run('CREATE TABLE t (a, b AS (hash_password(a)))')).toThrow('non-deterministic')
  })

  test('takes other named schemas when the functions are registered again, with a statement open', () => {
    db.query('EXPLAIN SELECT 1').values()
    registerFunctions(db, contextOf({ tags: { type: 'array', items: { type: 'integer' } } }))
    expect(valueOf(db, `jsonschema('tags', '[1]')`)).toBe(1n)
    expect(valueOf(db, `jsonschema('tags', '["x"]')`)).toBe(0n)
  })
})

test('a file is read by another connection, with plain integers too', () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-functions-'))
  try {
    const path = join(directory, 'x.db')
    const first = new Database(path)
    registerFunctions(first, contextOf(schemas))
    first.run(tables)
    first.run('INSERT INTO place (geom) VALUES (ST_Point(5, 6))')
    first.close()
    const second = new Database(path, { readonly: true })
    registerFunctions(second, contextOf(schemas))
    expect(second.query('SELECT ST_X(geom) AS x, ST_SRID(geom) AS srid FROM place').get()).toEqual({ x: 5, srid: 0 })
    second.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('registering loads neither jsts nor re2js nor the schema compiler; the first use does', () => {
  const program = `
    import { Database } from 'bun:sqlite'
    import { registerFunctions } from './src/records/functions/register.ts'
    import { systemClock } from './src/lib/clock.ts'
    import { systemIds } from './src/lib/ids.ts'
    const db = new Database(':memory:')
    registerFunctions(db, { schemas: new Map(), ids: systemIds, clock: systemClock })
    const loaded = () => ['/jsts/', '/re2js/', '/typebox/'].map(name => Object.keys(require.cache).some(path => path.includes(name)))
    db.query("SELECT uuid_v7(), is_email('a@b.c'), is_json('{}'), ST_AsText(ST_Point(1, 2)), ST_XMax(ST_MakeEnvelope(0, 0, 1, 1))").get()
    const before = loaded()
    db.query("SELECT ST_Area(ST_Buffer(ST_Point(1, 2), 1)), 'a' REGEXP 'a', jsonschema('std.KeyValue', '{}')").get()
    console.log(JSON.stringify([before, loaded()]))`
  const run = Bun.spawnSync([process.execPath, '-e', program])
  expect([run.stderr.toString(), run.stdout.toString().trim()]).toEqual(['', '[[false,false,false],[true,true,true]]'])
})

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return null
}
