/** record_apis against schemas: what compiles, and the text of every problem that does not. Expand is expand.test.ts, rules are check-rule.test.ts. */
import { describe, expect, test } from 'bun:test'
import { OperatorError } from '../../../src/lib/errors.ts'
import { compiled, problemsOf, SchemaScene, userTable, type ApiOptions } from './schema-scene.ts'

const room = 'CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, kind TEXT NOT NULL DEFAULT \'x\', _secret TEXT) STRICT'
const message = 'CREATE TABLE message (id INTEGER PRIMARY KEY, author BLOB REFERENCES _user(id), editor BLOB REFERENCES _user, _by BLOB REFERENCES "_USER"(ID), room INTEGER REFERENCES room(id)) STRICT'
const search = 'CREATE VIRTUAL TABLE found USING fts5(title)'
const roomView = 'CREATE VIEW room_view AS SELECT id, name FROM room'

describe('an API', () => {
  test('without ACL grants nothing to anybody (B15, B30)', () => {
    const api = compiled([room], { name: 'rooms', tableName: 'room' })
    expect([...api.acl.world, ...api.acl.authenticated]).toEqual([])
    expect(api.rules).toEqual({ create: null, read: null, update: null, delete: null, schema: null })
    expect(api.expand.size).toBe(0)
    expect(api.conflict).toBe('abort')
  })

  test('has the columns that are not excluded, and shows those that are not hidden', () => {
    const api = compiled([room], { name: 'rooms', tableName: 'room', excludedColumns: ['note', 'kind'] })
    expect(api.columns.map(column => column.name)).toEqual(['id', 'name', '_secret'])
    expect([...api.columnsByName.keys()]).toEqual(['id', 'name', '_secret'])
    expect(api.visible.map(column => column.name)).toEqual(['id', 'name'])
    expect(api.columns.map(column => column.index)).toEqual([0, 1, 4])
  })

  test('fills in the user where a column says _user(id), and only when asked to', () => {
    const names = (options: Partial<ApiOptions>) => compiled([userTable, room, message], { name: 'm', tableName: 'message', ...options }).autofill.map(column => column.name)
    expect(names({})).toEqual([])
    expect(names({ autofillMissingUserIdColumns: true })).toEqual(['author', '_by'])
    expect(names({ autofillMissingUserIdColumns: true, excludedColumns: ['author'] })).toEqual(['_by'])
  })

  test('on a view or a search table may grant what it cannot do', () => {
    const acl = { aclWorld: ['create', 'read', 'update', 'delete', 'schema'] as const }
    expect(compiled([room, roomView], { name: 'v', tableName: 'room_view', ...acl }).relation.kind).toBe('view')
    expect(compiled([search], { name: 's', tableName: 'found', ...acl }).key.map(column => column.name)).toEqual(['rowid'])
  })

  test('may be one of several on a table, and may name main', () => {
    const catalog = new SchemaScene([room]).catalog({ name: 'a', tableName: 'room' }, { name: 'b', tableName: 'main.room' })
    expect([...catalog.apis.keys()]).toEqual(['a', 'b'])
    expect(catalog.apis.get('a')?.relation === catalog.apis.get('b')?.relation).toBe(true)
  })
})

/** Options over `{ name: 'x', tableName: 'room' }`, and what is said of them. */
const wrong: readonly (readonly [Partial<ApiOptions>, string])[] = [
  [{ name: 'a-b' }, 'name: only letters A to Z, digits and "_" can stand in the name of an API'],
  [{ name: '' }, 'name: only letters A to Z, digits and "_" can stand in the name of an API'],
  [{ name: 'größe' }, 'name: only letters A to Z, digits and "_" can stand in the name of an API'],
  [{ tableName: 'rom' }, 'table_name: there is no table or view "rom" that can be an API; did you mean "room"?'],
  [{ tableName: 'other.room' }, 'table_name: the database "other" of "other.room" is not in databases'],
  [{ tableName: 'extro.t' }, 'table_name: the database "extro" of "extro.t" is not in databases; did you mean "extra"?'],
  [{ tableName: 'extra.rooms' }, 'table_name: there is no table or view "extra.rooms" that can be an API; did you mean "extra.room"?'],
  [{ tableName: 'temporary' }, 'table_name: there is no table or view "temporary" that can be an API'],
  [{ tableName: 'boxes' }, 'table_name: there is no table or view "boxes" that can be an API'],
  [{ tableName: 'sqlite_schema' }, 'table_name: there is no table or view "sqlite_schema" that can be an API'],
  [{ tableName: 'loose' }, 'table_name: "loose": the table is not STRICT; create it anew with `STRICT` after the closing parenthesis'],
  [{ tableName: 'keyless', readAccessRule: '_ROW_.a = 1' }, 'table_name: "keyless": the table has no PRIMARY KEY'],
  [{ tableName: 'real_key' }, 'table_name: "real_key": the key column "id" is REAL; a record key is INTEGER, TEXT or BLOB'],
  [{ attachedDatabases: ['extr'] }, 'attached_databases: "extr" is not in databases; did you mean "extra"?'],
  [{ excludedColumns: ['nam'] }, 'excluded_columns: "room" has no column "nam"; did you mean "name"?'],
  [{ excludedColumns: ['id'] }, 'excluded_columns: "id" belongs to the key, by which records are found'],
  [{ excludedColumns: ['name'] }, 'excluded_columns: "name" is NOT NULL without a default, so nobody could create a record; give it a DEFAULT'],
  [{ tableName: 'room_view', enableSubscriptions: true }, 'enable_subscriptions: "room_view" is no table, and only tables have changes to follow'],
  [{ tableName: 'found', enableSubscriptions: true }, 'enable_subscriptions: "found" is no table, and only tables have changes to follow'],
  [{ listingHardLimit: 0 }, 'listing_hard_limit: must be a whole number from 1'],
  [{ tableName: '_user', excludedColumns: ['totp_secret'] }, 'excluded_columns: "password_hash" holds a secret of the accounts (`_user`) and must be excluded'],
  [{ tableName: '_user', excludedColumns: ['password_hash'] }, 'excluded_columns: "totp_secret" holds a secret of the accounts (`_user`) and must be excluded'],
]

describe('problems', () => {
  test.each(wrong)('%j', (options, text) => {
    const scene = new SchemaScene(
      [
        userTable, room, search, roomView, 'CREATE TABLE extra.room (id INTEGER PRIMARY KEY) STRICT', 'CREATE TEMP TABLE temporary (id INTEGER PRIMARY KEY) STRICT',
        'CREATE VIRTUAL TABLE boxes USING rtree(id, a, b)', 'CREATE TABLE loose (id INTEGER PRIMARY KEY)', 'CREATE TABLE keyless (a TEXT) STRICT', 'CREATE TABLE real_key (id REAL PRIMARY KEY) STRICT',
      ],
      ['extra'],
    )
    const api = { name: 'x', tableName: 'room', ...options }
    expect(scene.problems(api)).toEqual([`record_apis[0] "${api.name}": ${text}`])
  })

  test('are all said at once, each with its place', () => {
    const problems = problemsOf([room], { name: 'a', tableName: 'rom' }, { name: 'a', tableName: 'room', excludedColumns: ['id'], readAccessRule: '1 +', expand: ['x'] })
    expect(problems).toEqual([
      'record_apis[0] "a": table_name: there is no table or view "rom" that can be an API; did you mean "room"?',
      'record_apis[1] "a": name: record_apis[0] has the same name; each API needs its own',
      'record_apis[1] "a": excluded_columns: "id" belongs to the key, by which records are found',
      'record_apis[1] "a": read_access_rule: SQLite refuses it: near ")": syntax error',
      'record_apis[1] "a": expand: "x": "room" shows no column "x"',
    ])
  })

  test('end the start as an operator’s mistake', () => {
    expect(() => compiled([room], { name: '-', tableName: 'room' })).toThrow(OperatorError)
    expect(compiled([userTable], { name: 'users', tableName: '_user', excludedColumns: ['password_hash', 'totp_secret'] }).name).toBe('users')
  })
})
