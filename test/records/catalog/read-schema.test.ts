/** Tables of every kind as relations: types, keys, formats, references, odd names. */
import { describe, expect, test } from 'bun:test'
import { SchemaScene, userTable } from './schema-scene.ts'

describe('columns of a table', () => {
  const scene = new SchemaScene([
    userTable,
    `CREATE TABLE "all kinds" (
      id INTEGER PRIMARY KEY,
      n INT NOT NULL DEFAULT 7, r REAL, t TEXT NOT NULL COLLATE NOCASE DEFAULT 'a,(b' , b BLOB, x ANY,
      g TEXT GENERATED ALWAYS AS (t || '!') VIRTUAL, s INTEGER AS (n + 1) STORED,
      _hidden TEXT,
      u4 BLOB CHECK (is_uuid_v4(u4)), u7 BLOB CHECK(is_uuid_v7(u7) AND u7 <> x'00'), u BLOB CONSTRAINT c CHECK ((is_uuid("u"))),
      no_uuid BLOB CHECK (is_uuid(no_uuid) OR no_uuid = x'00'),
      profile TEXT CHECK (jsonschema('profile', profile)),
      tags TEXT CHECK (jsonschema_matches('{"type":"array"}', tags)),
      file TEXT CHECK (jsonschema('std.FileUpload', file, 'image/png, image/jpeg')),
      files TEXT CHECK (jsonschema('std.FileUploads', files)),
      kv TEXT CHECK (jsonschema('std.KeyValue', kv)),
      geo BLOB CHECK (ST_IsValid(geo)),
      owner BLOB REFERENCES _user(id) ON DELETE CASCADE, editor BLOB REFERENCES _user, other BLOB,
      FOREIGN KEY (other) REFERENCES _user(id)
    ) STRICT`,
  ])
  const columns = new Map(scene.relation('all kinds').columns.map(column => [column.name, column]))

  test('have their types, defaults and nullability', () => {
    const shown = [...columns.values()].slice(0, 9).map(column => [column.name, column.type, column.isNullable, column.defaultSql, column.collation, column.isGenerated, column.isHidden])
    expect(shown).toEqual([
      ['id', 'INTEGER', false, null, 'BINARY', false, false],
      ['n', 'INTEGER', false, '7', 'BINARY', false, false],
      ['r', 'REAL', true, null, 'BINARY', false, false],
      ['t', 'TEXT', false, "'a,(b'", 'NOCASE', false, false],
      ['b', 'BLOB', true, null, 'BINARY', false, false],
      ['x', 'ANY', true, null, 'BINARY', false, false],
      ['g', 'TEXT', true, null, 'BINARY', true, false],
      ['s', 'INTEGER', true, null, 'BINARY', true, false],
      ['_hidden', 'TEXT', true, null, 'BINARY', false, true],
    ])
  })

  test('have the formats of their CHECKs', () => {
    const formats = Object.fromEntries([...columns.values()].filter(column => column.format.kind !== 'plain').map(column => [column.name, column.format]))
    expect(formats).toMatchObject({
      u4: { kind: 'uuid', version: 4 },
      u7: { kind: 'uuid', version: 7 },
      u: { kind: 'uuid', version: null },
      profile: { kind: 'json', schema: { type: 'object' } },
      tags: { kind: 'json', schema: { type: 'array' } },
      file: { kind: 'file', mimeTypes: ['image/png', 'image/jpeg'] },
      files: { kind: 'files', mimeTypes: null },
      kv: { kind: 'json', schema: { additionalProperties: { type: 'string' } } },
      geo: { kind: 'geometry' },
    })
    expect(Object.keys(formats)).not.toContain('no_uuid')
  })

  test('have their references', () => {
    expect(columns.get('owner')?.reference).toEqual({ table: '_user', column: 'id', isExplicit: true })
    expect(columns.get('editor')?.reference).toEqual({ table: '_user', column: 'id', isExplicit: false })
    expect(columns.get('other')?.reference).toEqual({ table: '_user', column: 'id', isExplicit: false })
  })
})

describe('keys', () => {
  const cases: readonly (readonly [string, readonly string[], boolean])[] = [
    ['CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT', ['id'], true],
    ['CREATE TABLE t (a TEXT, id INT, PRIMARY KEY (id)) STRICT', ['id'], true],
    ['CREATE TABLE t (id TEXT PRIMARY KEY) STRICT', ['id'], true],
    ['CREATE TABLE t (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID', ['id'], true],
    ['CREATE TABLE t (a TEXT, b INTEGER, v TEXT, CONSTRAINT k PRIMARY KEY (b, a)) STRICT', ['b', 'a'], true],
    ['CREATE TABLE t (a TEXT, b INTEGER, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID', ['b', 'a'], true],
    ['CREATE TABLE t (id REAL PRIMARY KEY) STRICT', [], false],
    ['CREATE TABLE t (id ANY PRIMARY KEY) STRICT', [], false],
    ['CREATE TABLE t (a TEXT) STRICT', [], false],
    ['CREATE TABLE t (id INTEGER PRIMARY KEY)', ['id'], false],
  ]
  test.each(cases)('%s', (sql, key, canBeApi) => {
    const relation = new SchemaScene([sql]).relation('t')
    expect(relation.key.map(column => column.name)).toEqual([...key])
    expect(relation.key.every(column => !column.isNullable)).toBe(true)
    expect((relation.problems ?? []).length === 0).toBe(canBeApi)
  })
})

describe('schemas of any make', () => {
  const names = ['a b', 'it\'s', 'say "hi"', 'select', 'größe', '[x]', '`y`', 'a.b', '💥', 'x)--', 'CHECK', ' lead', 'main.t', '%_']

  test.each(names)('the name %p does for tables, columns, keys and references', name => {
    const q = (text: string) => `"${text.replaceAll('"', '""')}"`
    const scene = new SchemaScene([
      `CREATE TABLE ${q(name)} (${q(name)} TEXT PRIMARY KEY CHECK(${q(name)} <> ')'), ${q(`${name}2`)} TEXT COLLATE NOCASE REFERENCES ${q(name)}(${q(name)})) STRICT`,
      `CREATE VIEW ${q(`${name} view`)} AS SELECT v.${q(name)} AS ${q(`${name}3`)} FROM ${q(name)} AS v`,
    ])
    const table = scene.relation(name)
    expect(table.columns.map(column => [column.name, column.collation])).toEqual([[name, 'BINARY'], [`${name}2`, 'NOCASE']])
    expect(table.columns[1]?.reference).toEqual({ table: name, column: name, isExplicit: true })
    expect(scene.relation(`${name} view`).key.map(column => column.name)).toEqual([`${name}3`])
    const api = scene.api({ name: 'x', tableName: name, readAccessRule: `_ROW_.${q(name)} IS NOT NULL AND EXISTS (SELECT 1 FROM ${q(name)} AS o WHERE o.${q(name)} = _ROW_.${q(`${name}2`)})` })
    expect(api.key.map(column => column.name)).toEqual([name])
  })

  test('search tables are read by row id, other virtual and shadow tables are left out', () => {
    const scene = new SchemaScene(['CREATE VIRTUAL TABLE s USING fts5(title, body UNINDEXED)', 'CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)', 'CREATE TEMP TABLE tmp (a)'])
    expect(scene.relations().map(relation => [relation.name, relation.kind])).toEqual([['s', 'search']])
    expect(scene.relation('s').columns.map(column => [column.name, column.type])).toEqual([['rowid', 'INTEGER'], ['title', 'TEXT'], ['body', 'TEXT']])
    expect(scene.relation('s').key.map(column => column.name)).toEqual(['rowid'])
  })

  test('additional databases have their own', () => {
    const scene = new SchemaScene(['CREATE TABLE extra.t (id TEXT PRIMARY KEY) STRICT', 'CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT'], ['extra'])
    expect(scene.relation('t').key[0]?.type).toBe('INTEGER')
    expect(scene.relation('t', 'extra').key[0]?.type).toBe('TEXT')
    expect(scene.api({ name: 'x', tableName: 'extra.t' }).relation.database).toBe('extra')
  })

  test('what no API uses never stops the start', () => {
    const scene = new SchemaScene([
      'CREATE TABLE loose (a, b)', 'CREATE VIEW sums AS SELECT count(*) FROM loose', 'CREATE VIEW broken AS SELECT a FROM nowhere',
      'CREATE VIEW a AS SELECT * FROM b', 'CREATE VIEW b AS SELECT * FROM a', "CREATE TABLE bad_schema (id INTEGER PRIMARY KEY, j TEXT CHECK(jsonschema('missing', j))) STRICT",
      'CREATE TABLE good (id INTEGER PRIMARY KEY) STRICT',
    ])
    expect(scene.api({ name: 'good', tableName: 'good' }).name).toBe('good')
    expect(scene.problems({ name: 'x', tableName: 'broken' })).toEqual(['record_apis[0] "x": table_name: "broken": SQLite cannot use the view: no such table: main.nowhere'])
    expect(scene.problems({ name: 'x', tableName: 'a' })).toEqual(['record_apis[0] "x": table_name: "a": SQLite cannot use the view: view a is circularly defined'])
    expect(scene.problems({ name: 'x', tableName: 'bad_schema' })).toEqual(['record_apis[0] "x": table_name: "bad_schema": column "j": its CHECK names the JSON schema "missing", which does not exist'])
    expect(scene.problems({ name: 'x', tableName: 'loose' })).toEqual([
      'record_apis[0] "x": table_name: "loose": the table is not STRICT; create it anew with `STRICT` after the closing parenthesis',
      'record_apis[0] "x": table_name: "loose": the table has no PRIMARY KEY',
    ])
  })
})
