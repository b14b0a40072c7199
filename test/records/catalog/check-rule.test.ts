/** Access rules when the configuration is loaded: what is refused with which words, and the facts of what is not. */
import { describe, expect, test } from 'bun:test'
import { must } from '../../../src/lib/assert.ts'
import type { RecordAction } from '../../../src/records/record-api.ts'
import { SchemaScene, userTable, type ApiOptions } from './schema-scene.ts'

const scene = new SchemaScene(
  [
    userTable,
    'CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner BLOB REFERENCES _user(id), hush TEXT) STRICT',
    'CREATE TABLE member (room INTEGER NOT NULL, account BLOB NOT NULL, note TEXT, PRIMARY KEY (room, account)) STRICT, WITHOUT ROWID',
    'CREATE TABLE extra.list (id INTEGER PRIMARY KEY, account BLOB) STRICT',
    'CREATE TABLE other.list2 (id INTEGER PRIMARY KEY) STRICT',
    'CREATE VIEW members AS SELECT room, account FROM member',
    'CREATE VIRTUAL TABLE words USING fts5(word)',
  ],
  ['extra', 'other'],
)

const fields = { create: 'createAccessRule', read: 'readAccessRule', update: 'updateAccessRule', delete: 'deleteAccessRule', schema: 'schemaAccessRule' } as const
const ruled = (action: RecordAction, rule: string): ApiOptions => ({ name: 'x', tableName: 'room', excludedColumns: ['hush'], [fields[action]]: rule })
const problems = (action: RecordAction, rule: string) => scene.problems(ruled(action, rule)).map(text => text.replace(/^record_apis\[0\] "x": \w+_access_rule: /, ''))

const wrong: readonly (readonly [RecordAction, string, string])[] = [
  ['read', '', 'it is empty; leave the field out when the ACL alone decides, or write FALSE to deny'],
  ['read', ' -- nothing', 'it is empty; leave the field out when the ACL alone decides, or write FALSE to deny'],
  ['read', '1; DROP TABLE room', '";" ends a statement; a rule is one expression'],
  ['read', '1) OR (1', 'its parentheses do not pair: ")" closes what was never opened'],
  ['read', '(1', 'its parentheses do not pair: "(" is never closed'],
  ['read', "'open", "the ' is not closed (character 1)"],
  ['read', '1 = ^2', '"^" is no part of SQL (character 5)'],
  ['read', 'SELECT 1', 'a rule is an expression, not a statement; put the SELECT into parentheses'],
  ['read', 'WITH a AS (SELECT 1) SELECT 1', 'a rule is an expression, not a statement; put the WITH into parentheses'],
  ['read', '_USER_.id = ?1', '"?1" is a parameter, and a rule has none; use _USER_, _ROW_ and _REQ_'],
  ['read', '_USER_.id = :id', '":id" is a parameter, and a rule has none; use _USER_, _ROW_ and _REQ_'],
  ['read', '1, 2', 'SQLite refuses it: row value misused'],
  ['read', '1 AS a', 'SQLite refuses it: near "AS": syntax error'],
  ['read', '1 ORDER BY 1', 'SQLite refuses it: near "ORDER": syntax error'],
  ['read', '1 -- ) OR 1', ''],
  ['read', '1 /* ) OR 1', ''],
  ['read', 'count(*) > 0', 'SQLite refuses it: misuse of aggregate function count()'],
  ['read', 'row_number() OVER () = 1', 'SQLite refuses it: misuse of window function row_number()'],
  ['read', 'no_function(1)', 'SQLite refuses it: no such function: no_function'],
  ['read', 'RAISE(IGNORE)', 'SQLite refuses it: RAISE() may only be used within a trigger-program'],
  ['read', '_ROW_.ownr = _USER_.id', '_ROW_ has no column "ownr"; did you mean "owner"?'],
  ['read', '_ROW_.hush IS NULL', ''],
  ['read', '_ROW_.rowid = 1', '_ROW_ has no column "rowid"'],
  ['read', 'rowid = 1', 'SQLite refuses it: no such column: rowid'],
  ['read', '_ROW_ IS NULL', '_ROW_ can only be used as _ROW_.column'],
  ['read', 'EXISTS (SELECT 1 FROM _ROW_)', '_ROW_ can only be used as _ROW_.column'],
  ['read', '_USER_.email IS NULL', '_USER_ has no column "email", only id'],
  ['read', '_user_.id IS NULL', '"_user_" has to be written in capitals: _USER_'],
  ['read', '"_Row_".id = 1', '"_Row_" has to be written in capitals: _ROW_'],
  ['read', '_REQ_.name IS NULL', '_REQ_ does not exist when a rule for read runs; it has _USER_, _ROW_'],
  ['read', "'name' IN _REQ_FIELDS_", '_REQ_FIELDS_ does not exist when a rule for read runs; it has _USER_, _ROW_'],
  ['delete', '_REQ_.name IS NULL', '_REQ_ does not exist when a rule for delete runs; it has _USER_, _ROW_'],
  ['create', '_ROW_.name IS NULL', '_ROW_ does not exist when a rule for create runs; it has _USER_, _REQ_, _REQ_FIELDS_'],
  ['schema', '_ROW_.name IS NULL', '_ROW_ does not exist when a rule for schema runs; it has _USER_'],
  ['create', '_REQ_.nam IS NULL', '_REQ_ has no column "nam"; did you mean "name"?'],
  ['create', '_REQ_.hush IS NULL', '_REQ_ has no column "hush", because it is excluded'],
  ['create', "_REQ_.name IN _REQ_FIELDS_", "_REQ_FIELDS_ is a set of names: write 'column' IN _REQ_FIELDS_, with a literal on the left"],
  ['create', "'a' || 'name' IN _REQ_FIELDS_", "_REQ_FIELDS_ is a set of names: write 'column' IN _REQ_FIELDS_, with a literal on the left"],
  ['create', '"name" IN _REQ_FIELDS_', "_REQ_FIELDS_ is a set of names: write 'column' IN _REQ_FIELDS_, with a literal on the left"],
  ['create', 'EXISTS (SELECT 1 FROM _REQ_FIELDS_)', "_REQ_FIELDS_ is a set of names: write 'column' IN _REQ_FIELDS_, with a literal on the left"],
  ['create', "'nam' IN _REQ_FIELDS_", '\'nam\' IN _REQ_FIELDS_: the API has no column "nam"; did you mean "name"?'],
  ['read', '_ROW_.name = "pubic"', '"pubic" is no column; text stands in single quotes: \'pubic\''],
  ['read', 'EXISTS (SELECT 1 FROM membr)', 'SQLite refuses it: no such table: membr'],
  ['read', 'EXISTS (SELECT 1 FROM other.list2)', 'it reads the database "other", which is not in attached_databases of this API'],
  ['read', 'EXISTS (SELECT 1 FROM list2)', 'it reads the database "other", which is not in attached_databases of this API'],
  ['update', 'name IS NULL', 'SQLite refuses it: ambiguous column name: name'],
]

describe('problems', () => {
  test.each(wrong)('%s: %s', (action, rule, text) => {
    expect(problems(action, rule)).toEqual(text === '' ? [] : [text])
  })

  test('of one rule are all said', () => {
    expect(problems('read', '_user_.id = ? AND _ROW_.x; (')).toHaveLength(5)
  })
})

const facts: readonly (readonly [RecordAction, string, string])[] = [
  ['read', '_USER_.id IS NOT NULL', 'user | | keyed'],
  ['read', '_ROW_.owner = _USER_.id', 'row user | | keyed'],
  ['read', 'owner = _USER_.id', 'row user | | keyed'],
  ['read', '1', '| | keyed'],
  ['read', "_ROW_.name = '_USER_'", 'row | | keyed'],
  ['read', 'EXISTS (SELECT 1 FROM member AS m WHERE m.room = _ROW_.id AND m.account = _USER_.id)', 'row user | main.member | keyed'],
  ['read', 'EXISTS (SELECT 1 FROM members AS m WHERE m.room = _ROW_.id)', 'row | main.member | keyed'],
  ['read', 'EXISTS (SELECT 1 FROM member AS m WHERE m.note = _ROW_.name)', 'row | main.member | scans'],
  ['read', '(SELECT count(*) FROM member) > 1', '| main.member | scans'],
  ['read', '_USER_.id IN (SELECT id FROM _user WHERE admin)', 'row user | main._user | scans'],
  ['read', "EXISTS (SELECT 1 FROM words WHERE words MATCH _ROW_.name)", 'row | main.words | scans'],
  ['read', 'EXISTS (SELECT 1 FROM extra.list AS l WHERE l.id = _ROW_.id)', 'row | extra.list | keyed'],
  ['read', 'EXISTS (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT 1 FROM n WHERE i = _ROW_.id)', 'row | | scans'],
  ['create', '_REQ_.owner = _USER_.id', 'user request | | keyed'],
  ['create', "'name' NOT IN _REQ_FIELDS_", 'request | | keyed'],
  ['create', 'EXISTS (SELECT 1 FROM _REQ_, _USER_ WHERE _REQ_.owner = _USER_.id)', 'user request | | keyed'],
  ['create', 'owner IS NULL', 'request | | keyed'],
  ['update', "_ROW_.owner = _USER_.id AND 'owner' NOT IN _REQ_FIELDS_", 'row user request | | keyed'],
  ['update', "_ROW_.owner = _USER_.id AND 'owner' NOT IN _REQ_FIELDS_ AND 'name' NOT IN _REQ_FIELDS_", 'row user request | | keyed'],
  ['update', "'owner' IN _REQ_FIELDS_ AND EXISTS (SELECT 1 FROM words WHERE words MATCH 'x')", 'request | main.words | scans'],
  ['delete', '_ROW_.owner = (SELECT id FROM _USER_)', 'row user | | keyed'],
  ['schema', '_USER_.id IS NOT NULL', 'user | | keyed'],
]

describe('facts', () => {
  test.each(facts)('%s: %s', (action, rule, text) => {
    const found = must(scene.api({ ...ruled(action, rule), attachedDatabases: ['extra'] }).facts[action], 'the rule has facts')
    const needs = [found.needsRow ? 'row' : '', found.needsUser ? 'user' : '', found.needsRequest ? 'request' : ''].filter(word => word !== '').join(' ')
    expect(`${needs} | ${found.readsTables.join(' ')} | ${found.isKeyed ? 'keyed' : 'scans'}`.trim().replaceAll('  ', ' ')).toBe(text)
  })

  test('are null where there is no rule', () => {
    expect(Object.values(scene.api({ name: 'x', tableName: 'room' }).facts)).toEqual([null, null, null, null, null])
  })
})
