/** Schemas of record APIs in three modes: their shape, that they are valid, and that records which the API gives fit them. */
import { describe, expect, test } from 'bun:test'
import { compileSchema } from '../../src/records/functions/schema-check.ts'
import { recordSchema } from '../../src/records/json-schema.ts'
import type { JsonSchema } from '../../src/records/catalog/relation.ts'
import { apiDefaults } from '../../src/records/catalog/api-config.ts'
import { compiled, userTable, type ApiOptions } from './catalog/schema-scene.ts'
import { QueryScene } from './query/query-scene.ts'

const things = `CREATE TABLE thing (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, r REAL NOT NULL DEFAULT 1, t TEXT, b BLOB, x ANY, _hidden TEXT NOT NULL, left_out TEXT,
  made INTEGER GENERATED ALWAYS AS (n + 1) VIRTUAL) STRICT`

const schemaOf = (sql: readonly string[], options: Partial<ApiOptions>, mode: 'Insert' | 'Select' | 'Update', ...others: readonly ApiOptions[]) =>
  recordSchema(compiled(sql, { name: 'things', tableName: 'thing', ...options }, ...others), mode)

describe('plain columns', () => {
  const properties = {
    id: { type: 'integer' }, n: { type: 'integer' }, r: { type: 'number' }, t: { type: ['null', 'string'] }, b: { type: ['null', 'string'] },
    x: { type: ['number', 'string', 'boolean', 'object', 'array', 'null'] },
  }
  const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'things', type: 'object' }
  const options = { excludedColumns: ['left_out'] }

  test('Insert wants what has no default and no key', () => {
    expect(schemaOf([things], options, 'Insert')).toEqual({ ...head, properties: { ...properties, _hidden: { type: 'string' } }, required: ['n', '_hidden'] })
  })

  test('Update wants nothing', () => {
    expect(schemaOf([things], options, 'Update')).toEqual({ ...head, properties: { ...properties, _hidden: { type: 'string' } }, required: [] })
  })

  test('Select shows neither hidden nor excluded columns and promises what is never NULL', () => {
    expect(schemaOf([things], options, 'Select')).toEqual({ ...head, properties: { ...properties, made: { type: ['null', 'integer'] } }, required: ['id', 'n', 'r'] })
  })

  test('keys of text and of several columns come from the client', () => {
    const required = (sql: string) => schemaOf([sql], {}, 'Insert')['required']
    expect(required('CREATE TABLE thing (id BLOB PRIMARY KEY NOT NULL) STRICT')).toEqual([])
    expect(required('CREATE TABLE thing (id TEXT PRIMARY KEY) STRICT')).toEqual(['id'])
    expect(required("CREATE TABLE thing (id TEXT PRIMARY KEY DEFAULT 'x') STRICT")).toEqual([])
    expect(required('CREATE TABLE thing (a INTEGER, b BLOB, PRIMARY KEY (a, b)) STRICT')).toEqual(['a', 'b'])
  })
})

describe('columns of JSON', () => {
  const inPlace = (name: string, schema: object, rest = '') => `${name} TEXT ${rest} CHECK(jsonschema_matches('${JSON.stringify(schema)}', ${name}))`
  const table = (...columns: readonly string[]) => [`CREATE TABLE thing (id INTEGER PRIMARY KEY, ${columns.join(', ')}) STRICT`]

  test('are definitions, with NULL as one more type', () => {
    const schema = schemaOf(table("profile TEXT CHECK(jsonschema('profile', profile))", "kv TEXT NOT NULL CHECK(jsonschema('std.KeyValue', kv))", inPlace('one', { enum: [1, 2] })), {}, 'Select')
    expect(schema['properties']).toMatchObject({ profile: { $ref: '#/$defs/profile' }, kv: { $ref: '#/$defs/kv' } })
    expect(schema['$defs']).toMatchObject({
      profile: { type: ['null', 'object'], properties: { age: { type: 'integer' } } },
      kv: { type: 'object', additionalProperties: { type: 'string' } },
      one: { anyOf: [{ type: 'null' }, { enum: [1, 2] }] },
    })
  })

  test('bring their own definitions to the root, with their references', () => {
    const tree = { $id: 'https://example.org/tree', $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' }, top: { $ref: '#' } } } }, $ref: '#/$defs/node' }
    const other = { $defs: { node: { type: 'string' } }, type: 'array', items: { $ref: '#/$defs/node' } }
    const schema = schemaOf(table(inPlace('a', tree, 'NOT NULL'), inPlace('b', other, 'NOT NULL'), inPlace('node', { type: 'number' }, 'NOT NULL')), {}, 'Insert')
    expect(schema['$defs']).toEqual({
      a: { $ref: '#/$defs/node' },
      node: { type: 'object', properties: { next: { $ref: '#/$defs/node' }, top: { $ref: '#/$defs/a' } } },
      b: { type: 'array', items: { $ref: '#/$defs/node_2' } },
      node_2: { type: 'string' },
      node_3: { type: 'number' },
    })
    expect(schema['properties']).toMatchObject({ node: { $ref: '#/$defs/node_3' } })
    const check = compileSchema(schema)
    expect(check({ a: { next: { top: {} } }, b: ['x'], node: 1 })).toBe(true)
    expect(check({ a: {}, b: [1], node: 1 })).toBe(false)
    expect(check({ a: { next: { next: 1 } }, b: [], node: 1 })).toBe(false)
  })

  test('files are uploads when they are written and descriptions when they are read', () => {
    const sql = table("f TEXT CHECK(jsonschema('std.FileUpload', f))", "g TEXT CHECK(jsonschema('std.FileUploads', g))")
    const stored = { filename: 'a_1.png', original_filename: 'a.png', mime_type: 'image/png' }
    const fits = (mode: 'Insert' | 'Select' | 'Update', value: object) => compileSchema(schemaOf(sql, {}, mode))({ id: 1, ...value })
    expect([fits('Insert', { f: { data: 'AAAA' }, g: [{ data: '', filename: 'x' }] }), fits('Insert', { f: stored }), fits('Insert', { f: null, g: null })]).toEqual([true, false, true])
    expect([fits('Select', { f: stored, g: [stored] }), fits('Select', { f: { data: '' } }), fits('Select', { f: { ...stored, id: 'x' } })]).toEqual([true, false, false])
    expect([fits('Update', { f: stored, g: [stored, { data: '' }] }), fits('Update', { g: [{}] })]).toEqual([true, false])
  })

  test('geometry is one definition for all', () => {
    const schema = schemaOf(table('p BLOB NOT NULL CHECK(ST_IsValid(p))', 'q BLOB CHECK(ST_IsValid(q))'), {}, 'Select')
    expect(schema['properties']).toMatchObject({ p: { $ref: '#/$defs/_geojson_geometry' }, q: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/_geojson_geometry' }] } })
    const check = compileSchema(schema)
    expect(check({ id: 1, p: { type: 'GeometryCollection', geometries: [{ type: 'Point', coordinates: [1, 2] }] }, q: null })).toBe(true)
    expect(check({ id: 1, p: { type: 'GeometryCollection', geometries: [{ type: 'Dot' }] }, q: null })).toBe(false)
  })
})

describe('expansions', () => {
  const sql = [userTable, 'CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT) STRICT',
    'CREATE TABLE thing (id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent(id), "strict up" INTEGER NOT NULL REFERENCES parent(id)) STRICT']

  test('are objects with an id in Select, and plain in the other modes', () => {
    const schema = schemaOf(sql, { expand: ['up', 'strict up'] }, 'Select')
    const data = { type: 'object', properties: { id: { type: 'integer' }, name: { type: 'string' }, mail: { type: ['null', 'string'] } }, required: ['id', 'name'] }
    expect(schema['properties']).toMatchObject({ up: { $ref: '#/$defs/things.up' }, 'strict up': { $ref: '#/$defs/things.strict%20up' } })
    expect(schema['$defs']).toEqual({
      'things.up': { type: ['null', 'object'], properties: { id: { type: 'integer' }, data }, required: ['id'] },
      'things.strict up': { type: 'object', properties: { id: { type: 'integer' }, data }, required: ['id'] },
    })
    const check = compileSchema(schema)
    expect([check({ id: 1, up: null, 'strict up': { id: 1 } }), check({ id: 1, up: null, 'strict up': 1 })]).toEqual([true, false])
    for (const mode of ['Insert', 'Update'] as const) expect(schemaOf(sql, { expand: ['up'] }, mode)['properties']).toMatchObject({ up: { type: ['null', 'integer'] } })
  })

  test('what a guard hides is not described', () => {
    const guard = { name: 'parents', tableName: 'parent', aclWorld: ['read' as const], excludedColumns: ['mail'] }
    expect(JSON.stringify(schemaOf(sql, { expand: ['up@parents'] }, 'Select', guard))).not.toContain('mail')
  })
})

describe('records that an API gives', () => {
  test('fit its Select schema, whatever is expanded', () => {
    using scene = new QueryScene(
      `CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL, boss INTEGER REFERENCES parent(id)) STRICT;
       CREATE TABLE thing (id BLOB PRIMARY KEY NOT NULL CHECK(is_uuid(id)) DEFAULT (uuid_v7()), up INTEGER REFERENCES parent(id), n INTEGER NOT NULL, r REAL, b BLOB, x ANY, _h TEXT,
         tags TEXT CHECK(jsonschema_matches('{"type":"array","items":{"type":"string"}}', tags)), kv TEXT CHECK(jsonschema('std.KeyValue', kv)),
         file TEXT CHECK(jsonschema('std.FileUpload', file)), place BLOB CHECK(ST_IsValid(place))) STRICT;
       CREATE TABLE part (id INTEGER PRIMARY KEY, thing BLOB REFERENCES thing(id), size REAL NOT NULL) STRICT;
       CREATE VIEW thing_view AS SELECT t.id, p.name, CAST(t.n * 2 AS INTEGER) AS twice, t.tags FROM thing AS t LEFT JOIN parent AS p ON p.id = t.up;
       INSERT INTO parent VALUES (1, 'one', NULL), (2, 'two', 1);
       INSERT INTO thing (up, n, r, b, x, tags, kv, file, place) VALUES
         (2, 1, 1.5, x'00ff', 'any', '["a"]', '{"k":"v"}', '{"id":"i","filename":"f_1.png","mime_type":"image/png"}', ST_Point(1, 2)), (NULL, -5, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
       INSERT INTO part (thing, size) SELECT id, 2.5 FROM thing;`,
      { name: 'things', tableName: 'thing', aclWorld: ['read'], expand: ['up', 'up.boss@parents', 'parts:part.thing@parts'] },
      { name: 'parents', tableName: 'parent', aclWorld: ['read'] },
      { name: 'parts', tableName: 'part', aclWorld: ['read'] },
      { name: 'view', tableName: 'thing_view', aclWorld: ['read'] },
    )
    for (const [name, query] of [['things', ''], ['things', 'expand=up'], ['things', 'expand=up.boss,parts'], ['view', '']] as const) {
      const schema: JsonSchema = recordSchema(scene.api(name), 'Select')
      const check = compileSchema(schema)
      const { records } = scene.list(name, query)
      expect(records).toHaveLength(2)
      for (const record of records) expect([record, check(record)]).toEqual([record, true])
      expect(check({ ...records[0], id: 7 })).toBe(false)
    }
  })

  test('an API needs no configuration but its names', () => {
    expect(recordSchema(compiled([things], { ...apiDefaults, name: 'things', tableName: 'thing' }), 'Select')['title']).toBe('things')
  })
})
