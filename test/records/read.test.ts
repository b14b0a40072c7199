/** Reads of one record: keys of every kind, rules, tags, selected fields, and rules that end in an error. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Refusal } from '../../src/lib/errors.ts'
import { anonymous } from '../../src/lib/principal.ts'
import type { RecordText } from '../../src/records/read.ts'
import { QueryScene, userWith } from './query/query-scene.ts'

const scene = new QueryScene(
  `CREATE TABLE whole (id INTEGER PRIMARY KEY, name TEXT, _hidden TEXT) STRICT;
   CREATE TABLE uuid (id BLOB PRIMARY KEY NOT NULL CHECK (is_uuid(id)), name TEXT) STRICT;
   CREATE TABLE text (id TEXT PRIMARY KEY NOT NULL, name TEXT) STRICT;
   CREATE TABLE pair (a TEXT NOT NULL, b INTEGER NOT NULL, name TEXT, PRIMARY KEY (a, b)) STRICT;
   CREATE VIEW seen AS SELECT id, name FROM whole WHERE id > 1;
   INSERT INTO whole VALUES (1, 'one', 'h'), (2, 'two', 'h'), (9223372036854775807, 'last', 'h');
   INSERT INTO uuid VALUES (x'00000000000040008000000000000001', 'u');
   INSERT INTO text VALUES ('a/b c,%', 't'), ('', 'empty');
   INSERT INTO pair VALUES ('x,y', -1, 'p')`,
  { name: 'whole', tableName: 'whole' },
  { name: 'uuid', tableName: 'uuid' },
  { name: 'text', tableName: 'text' },
  { name: 'pair', tableName: 'pair' },
  { name: 'seen', tableName: 'seen' },
  { name: 'guarded', tableName: 'whole', readAccessRule: '_ROW_.id = 1 OR _USER_.id IS NOT NULL' },
  { name: 'failing', tableName: 'whole', readAccessRule: 'uuid_text(_ROW_.name) IS NOT NULL' },
)
afterAll(() => scene[Symbol.dispose]())

const read = async (...args: Parameters<QueryScene['read']>): Promise<RecordText> => await scene.read(...args)
const statusOf = async (...args: Parameters<QueryScene['read']>): Promise<number> => {
  try {
    await read(...args)
    return 200
  } catch (error) {
    if (error instanceof Refusal) return error.status
    throw error
  }
}

describe('a record', () => {
  test('is found by a key of any kind', async () => {
    expect((await read('whole', '9223372036854775807')).text).toBe('{"id":9223372036854775807,"name":"last"}')
    expect((await read('uuid', '00000000-0000-4000-8000-000000000001')).text).toBe('{"id":"AAAAAAAAQACAAAAAAAAAAQ==","name":"u"}')
    expect((await read('uuid', 'AAAAAAAAQACAAAAAAAAAAQ==')).text).toContain('"u"')
    expect((await read('text', 'a/b c,%')).text).toBe('{"id":"a/b c,%","name":"t"}')
    expect((await read('pair', 'x%2Cy,-1')).text).toBe('{"a":"x,y","b":-1,"name":"p"}')
    expect((await read('seen', '2')).text).toBe('{"id":2,"name":"two"}')
  })

  test('is answered at once when it is found by its key, without a promise', () => {
    expect(scene.read('whole', '1')).not.toBeInstanceOf(Promise)
    expect(scene.read('guarded', '1', '', anonymous)).not.toBeInstanceOf(Promise)
  })

  test('is refused with 400 for an id of another form', async () => {
    for (const [api, id] of [['whole', 'x'], ['whole', '1.5'], ['whole', '9223372036854775808'], ['whole', ''], ['uuid', '1'], ['uuid', 'AAAA'], ['pair', 'x'], ['pair', 'x,y'], ['pair', 'x,1,2'], ['pair', '%,1']]) {
      expect([api, id, await statusOf(api ?? '', id ?? '')]).toEqual([api, id, 400])
    }
  })

  test('is 404 without a rule, and 403 with one, where it is missing or denied', async () => {
    expect(await statusOf('whole', '77')).toBe(404)
    expect(await statusOf('guarded', '77', '', anonymous)).toBe(403)
    expect(await statusOf('guarded', '2', '', anonymous)).toBe(403)
    expect(await statusOf('guarded', '1', '', anonymous)).toBe(200)
    expect(await statusOf('guarded', '2', '', userWith(new Uint8Array(16)))).toBe(200)
    expect(await statusOf('guarded', '77')).toBe(404) // the operator
  })

  test('is 403 where the rule ends in an error', async () => {
    expect(await statusOf('failing', '1', '', anonymous)).toBe(403)
    expect(await statusOf('failing', '1')).toBe(200)
  })
})

describe('fields', () => {
  test('select, and leave the tag as it is', async () => {
    const whole = await read('whole', '1')
    expect(await read('whole', '1', 'fields=name')).toEqual({ text: '{"name":"one"}', tag: whole.tag })
    expect(await read('whole', '1', 'expand=&'.slice(0, 0))).toEqual(whole)
    expect(await statusOf('whole', '1', 'fields=_hidden')).toBe(400)
    expect(await statusOf('whole', '1', 'expand=name')).toBe(400)
  })

  test('the tag follows the visible values and no others', async () => {
    const { tag } = await read('whole', '2')
    scene.db.run("UPDATE whole SET _hidden = 'other' WHERE id = 2")
    expect((await read('whole', '2')).tag).toBe(tag)
    scene.db.run("UPDATE whole SET name = 'zwei' WHERE id = 2")
    expect((await read('whole', '2')).tag).not.toBe(tag)
  })
})
