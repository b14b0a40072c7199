/** record_apis against schemas: what compiles, and the text of every problem. */
import { describe, expect, test } from 'bun:test'
import { compiled, problemsOf } from './schema-scene.ts'

const room = 'CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT'

describe('a plain table', () => {
  test('becomes an API that grants nothing', () => {
    const api = compiled([room], { name: 'rooms', tableName: 'room' })
    expect(api.columns.map(column => [column.name, column.type, column.isNullable])).toEqual([['id', 'INTEGER', false], ['name', 'TEXT', false]])
    expect(api.key.map(column => column.name)).toEqual(['id'])
    expect([...api.acl.world, ...api.acl.authenticated]).toEqual([])
    expect(api.conflict).toBe('abort')
  })
})

describe('problems', () => {
  test('are all said at once', () => {
    expect(problemsOf([room], { name: 'a-b', tableName: 'rom' }, { name: 'rooms', tableName: 'room', excludedColumns: ['nam', 'id', 'name'] })).toEqual([
      'record_apis[0] "a-b": name: only letters A to Z, digits and "_" can stand in the name of an API',
      'record_apis[0] "a-b": table_name: there is no table or view "rom" that can be an API; did you mean "room"?',
      'record_apis[1] "rooms": excluded_columns: "room" has no column "nam"; did you mean "name"?',
      'record_apis[1] "rooms": excluded_columns: "id" belongs to the key, by which records are found',
      'record_apis[1] "rooms": excluded_columns: "name" is NOT NULL without a default, so nobody could create a record; give it a DEFAULT',
    ])
  })
})
