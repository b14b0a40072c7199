/** The list of tables for administrators: TrailBase's shapes, from PRAGMAs and from the text of the statements. */
import { expect, test } from 'bun:test'
import { listSchema } from '../../src/admin/tables.ts'
import { startRecordServer } from '../support/record-server.ts'

const post = `CREATE TABLE post (
  id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT 'a (b, c)' CHECK (length(title) > 0 AND title <> ','), code TEXT COLLATE NOCASE UNIQUE,
  twice TEXT AS (title || title) STORED, parent INTEGER REFERENCES post (id) ON DELETE CASCADE, any_value ANY,
  CONSTRAINT long CHECK (length(code) < 9), UNIQUE (title, code)
) STRICT`

test('everything of every database, with its SQL', async () => {
  await using server = await startRecordServer({
    sql: `${post}; CREATE UNIQUE INDEX by_title ON post (title DESC, lower(code)) WHERE code IS NOT NULL; CREATE VIEW titles AS SELECT title FROM post;
      CREATE TRIGGER later AFTER INSERT ON post BEGIN SELECT 1; END; CREATE TABLE pair (a INTEGER, b INTEGER, PRIMARY KEY (b, a), FOREIGN KEY (a, b) REFERENCES pair (b, a)); CREATE VIRTUAL TABLE words USING fts5(word)`,
    databases: { more: 'CREATE TABLE event (what NUMERIC)' },
    apis: [],
  })
  const { tables, indexes, triggers, views } = await listSchema(server.records)
  const table = (name: string) => tables.find(([shape]) => (shape as { name: { name: string } }).name.name === name)
  expect(table('post')).toEqual([
    {
      name: { name: 'post', database_schema: null },
      strict: true,
      virtual_table: false,
      temporary: false,
      columns: [
        { name: 'id', type_name: 'INTEGER', data_type: 'Integer', affinity_type: 'Integer', options: [{ Unique: { is_primary: true, conflict_clause: null } }] },
        { name: 'title', type_name: 'TEXT', data_type: 'Text', affinity_type: 'Text', options: ['NotNull', { Default: `'a (b, c)'` }, { Check: `length(title) > 0 AND title <> ','` }] },
        { name: 'code', type_name: 'TEXT', data_type: 'Text', affinity_type: 'Text', options: [{ Unique: { is_primary: false, conflict_clause: null } }, { Collate: 'NOCASE' }] },
        { name: 'twice', type_name: 'TEXT', data_type: 'Text', affinity_type: 'Text', options: [{ Generated: { expr: 'title || title', mode: 'Stored' } }] },
        {
          name: 'parent',
          type_name: 'INTEGER',
          data_type: 'Integer',
          affinity_type: 'Integer',
          options: [{ ForeignKey: { foreign_table: 'post', referred_columns: ['id'], on_update: null, on_delete: 'Cascade' } }],
        },
        { name: 'any_value', type_name: 'ANY', data_type: 'Any', affinity_type: 'Numeric', options: [] },
      ],
      foreign_keys: [],
      unique: [{ name: null, columns: ['title', 'code'], conflict_clause: null }],
      checks: [{ name: 'long', expr: 'length(code) < 9' }],
    },
    post,
  ])
  expect(table('pair')?.[0]).toMatchObject({
    strict: false,
    unique: [{ columns: ['b', 'a'] }],
    foreign_keys: [{ columns: ['a', 'b'], foreign_table: 'pair', referred_columns: ['b', 'a'] }],
  })
  expect(table('words')?.[0]).toMatchObject({ virtual_table: true })
  expect(table('event')?.[0]).toMatchObject({ name: { name: 'event', database_schema: 'more' } })
  expect(table('_user')).toBeDefined()
  const index = indexes.find(([, sql]) => sql.includes('by_title'))?.[0]
  expect(index).toMatchObject({
    table_name: 'post',
    unique: true,
    predicate: 'code IS NOT NULL',
    columns: [{ column_name: 'title', ascending: false }, { column_name: 'lower(code)', ascending: null }],
  })
  expect(triggers.map(([shape]) => shape)).toContainEqual({ name: { name: 'later', database_schema: null }, table_name: 'post' })
  expect(views.map(([shape]) => shape)).toEqual([{ name: { name: 'titles', database_schema: null }, column_mapping: null, query: 'SELECT title FROM post', temporary: false }])
})
