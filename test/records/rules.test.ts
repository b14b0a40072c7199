/** Rules as statements over a real database: who is allowed, what errors and NULL do, indexes, and that parameters judge as relations do. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { must } from '../../src/lib/assert.ts'
import type { SqlValue } from '../../src/lib/sql-value.ts'
import type { RecordAction, RecordApi } from '../../src/records/record-api.ts'
import { conditionOf, eventStatement, rowCondition, ruleStatement, valuesRelation, type RuleStatement } from '../../src/records/rules.ts'
import { SchemaScene, userTable, type ApiOptions } from './catalog/schema-scene.ts'

const ann = new Uint8Array(16).fill(1)
const bob = new Uint8Array(16).fill(2)

const scene = new SchemaScene([
  userTable,
  'CREATE TABLE note (a INTEGER, b TEXT, owner BLOB, mail TEXT COLLATE NOCASE, r REAL, x ANY, PRIMARY KEY (a, b)) STRICT',
  'CREATE INDEX note_owner ON note (owner)',
  'CREATE TABLE member (room INTEGER NOT NULL, account BLOB NOT NULL, PRIMARY KEY (room, account)) STRICT, WITHOUT ROWID',
])
scene.db.run('INSERT INTO _user (id, email) VALUES (?, ?), (?, ?)', [ann, 'ann@example.org', bob, 'Bob@Example.org'])
scene.db.run("INSERT INTO note VALUES (1, 'x', ?, 'Ann@example.org', 0.5, 7), (2, 'y', ?, NULL, NULL, 'seven')", [ann, bob])
scene.db.run('INSERT INTO member VALUES (1, ?)', [ann])

const fields = { create: 'createAccessRule', read: 'readAccessRule', update: 'updateAccessRule', delete: 'deleteAccessRule', schema: 'schemaAccessRule' } as const
const apiWith = (action: RecordAction, rule: string): RecordApi => scene.api({ name: 'notes', tableName: 'note', [fields[action]]: rule } as ApiOptions)

interface Given {
  readonly user?: Uint8Array
  readonly key?: readonly SqlValue[]
  readonly request?: Readonly<Record<string, SqlValue>>
  readonly row?: Readonly<Record<string, SqlValue>>
}

function bound(statement: RuleStatement, given: Given): SqlValue[] {
  return statement.params.map(param => {
    switch (param.kind) {
      case 'user':
        return given.user ?? null
      case 'key':
        return given.key?.[param.index] ?? null
      case 'request':
        return given.request?.[param.column.name] ?? null
      case 'requestFields':
        return JSON.stringify(Object.keys(given.request ?? {}))
      case 'row':
        return given.row?.[param.column.name] ?? null
    }
  })
}

/** As the program runner judges an `expect` step. */
function holds(statement: RuleStatement | null, given: Given): boolean {
  const { sql } = must(statement, 'there is a rule')
  try {
    const value = scene.db.prepare<Record<string, SqlValue>, SqlValue[]>(sql).values(...bound(must(statement, 'there is a rule'), given))[0]?.[0]
    return typeof value === 'bigint' && value !== 0n
  } catch {
    return false
  }
}

const judged = (action: RecordAction, rule: string, given: Given) => holds(ruleStatement(apiWith(action, rule), action), given)

describe('statements', () => {
  const first = { key: [1n, 'x'] }
  const second = { key: [2n, 'y'] }
  const cases: readonly (readonly [RecordAction, string, Given, boolean])[] = [
    ['read', '_ROW_.owner = _USER_.id', { ...first, user: ann }, true],
    ['read', '_ROW_.owner = _USER_.id', { ...first, user: bob }, false],
    ['read', '_ROW_.owner = _USER_.id', first, false],
    ['read', '_ROW_.owner IS _USER_.id OR 1', { key: [3n, 'z'], user: ann }, false],
    ['read', 'NULL', first, false],
    ['read', "'yes'", first, false],
    ['read', '0.5', first, false],
    ['read', "'1'", first, true],
    ['read', '-1', first, true],
    ['read', 'TRUE -- always', first, true],
    ['read', "json_extract(_ROW_.b, '$') IS NULL", first, false],
    ['read', 'mail = (SELECT email FROM _user WHERE id = _USER_.id)', { ...first, user: ann }, true],
    ['read', '_USER_.id IN (SELECT id FROM _USER_)', { ...first, user: ann }, true],
    ['read', 'EXISTS (SELECT 1 FROM member AS m WHERE m.room = _ROW_.a AND m.account = _USER_.id)', { ...first, user: ann }, true],
    ['read', 'EXISTS (SELECT 1 FROM member AS m WHERE m.room = _ROW_.a AND m.account = _USER_.id)', { ...second, user: ann }, false],
    ['delete', '"_ROW_"."owner" = [_USER_].`id`', { ...second, user: bob }, true],
    ['create', '_REQ_.owner = _USER_.id', { user: ann, request: { owner: ann } }, true],
    ['create', '_REQ_.owner = _USER_.id', { user: ann, request: { owner: bob } }, false],
    ['create', '_REQ_.owner = _USER_.id', { request: {} }, false],
    ['create', '_REQ_.a = 9223372036854775807', { request: { a: 9223372036854775807n } }, true],
    ['create', "'b' IN _REQ_FIELDS_ AND 'a' NOT IN _REQ_FIELDS_", { request: { b: null } }, true],
    ['create', "'b' IN _REQ_FIELDS_ AND 'a' NOT IN _REQ_FIELDS_", { request: { a: null, b: null } }, false],
    ['create', 'owner = _USER_.id', { user: ann, request: { owner: ann } }, true],
    ['create', '_REQ_.mail = (SELECT email FROM _user AS u WHERE u.id = _USER_.id)', { user: bob, request: { mail: 'bob@example.org' } }, false],
    ['create', '(SELECT email FROM _user AS u WHERE u.id = _USER_.id) = _REQ_.mail', { user: bob, request: { mail: 'Bob@Example.org' } }, true],
    ['create', '(SELECT count(*) FROM _REQ_ WHERE b IS NULL) = 1', { request: { a: 1n } }, true],
    ['create', 'EXISTS (SELECT 1 FROM member WHERE room = _REQ_.a AND account = _USER_.id)', { user: ann, request: { a: 1n } }, true],
    ['update', "_ROW_.owner = _USER_.id AND (_REQ_.owner = _ROW_.owner OR 'owner' NOT IN _REQ_FIELDS_)", { ...first, user: ann, request: { r: 1 } }, true],
    ['update', "_ROW_.owner = _USER_.id AND (_REQ_.owner = _ROW_.owner OR 'owner' NOT IN _REQ_FIELDS_)", { ...first, user: ann, request: { owner: bob } }, false],
    ['update', "_REQ_.b = _ROW_.b AND _REQ_.b = 'x'", { ...first, request: { b: 'x' } }, true],
    ['update', '_REQ_.x = _ROW_.x', { ...first, request: { x: 7n } }, true],
    ['schema', '_USER_.id IS NOT NULL', { user: ann }, true],
    ['schema', '_USER_.id IS NOT NULL', {}, false],
  ]
  test.each(cases)('%s: %s %#', (action, rule, given, allowed) => {
    expect(judged(action, rule, given)).toBe(allowed)
  })

  test('are none without a rule', () => {
    const api = scene.api({ name: 'notes', tableName: 'note' })
    expect((['create', 'read', 'update', 'delete', 'schema'] as const).map(action => ruleStatement(api, action))).toEqual([null, null, null, null, null])
    expect([rowCondition(api, 't', 1), eventStatement(api)]).toEqual([null, null])
  })

  test('bind the user and each column once', () => {
    const statement = must(ruleStatement(apiWith('update', '_USER_.id = _ROW_.owner AND _REQ_.a = _ROW_.a AND _REQ_.a > 0 AND _USER_.id IS NOT NULL'), 'update'), 'a rule')
    expect(statement.params.map(param => param.kind)).toEqual(['user', 'request', 'key', 'key'])
  })
})

describe('conditions on scanned rows', () => {
  const rows = (rule: string, user: Uint8Array | null, alias = '_ROW_') => {
    const condition = must(rowCondition(apiWith('read', rule), alias, 2), 'a rule')
    const sql = `SELECT "${alias}".a FROM note AS "${alias}" WHERE ?1 = 1 AND ${condition.sql} ORDER BY 1`
    expect(condition.params.every(param => param.kind === 'user')).toBe(true)
    return scene.db.prepare<Record<string, SqlValue>, SqlValue[]>(sql).values(1n, ...condition.params.map(() => user)).map(row => row[0])
  }

  test('let through what the rule allows', () => {
    expect(rows('_ROW_.owner = _USER_.id', ann)).toEqual([1n])
    expect(rows('_ROW_.owner = _USER_.id', null)).toEqual([])
    expect(rows('_ROW_.owner = _USER_.id', bob, 'the row')).toEqual([2n])
    expect(rows('_ROW_.r OR _ROW_.owner IN (SELECT id FROM _USER_) -- either', bob)).toEqual([1n, 2n])
    expect(rows('_ROW_.r', ann)).toEqual([])
  })

  test('use the index of the column that is compared with the user', () => {
    const plan = (rule: string) => {
      const condition = conditionOf(rule, '_ROW_', 1)
      return scene.read(`EXPLAIN SELECT * FROM note AS "_ROW_" WHERE ${condition.sql}`).some(([, opcode]) => opcode === 'Rewind') ? 'scan' : 'index'
    }
    expect(plan('_ROW_.owner = _USER_.id')).toBe('index')
    expect(plan('(_USER_.id = owner AND _ROW_.r > 1)')).toBe('index')
    expect(plan('_ROW_.r')).toBe('scan')
  })
})

describe('events', () => {
  test('are judged by their values as the stored row is', () => {
    const api = apiWith('read', "_ROW_.owner = _USER_.id AND (_ROW_.mail = 'ann@EXAMPLE.org' OR _ROW_.a = '1')")
    const statement = must(eventStatement(api), 'a rule')
    expect(statement.params.map(param => (param.kind === 'row' ? param.column.name : param.kind))).toEqual(['user', 'a', 'owner', 'mail'])
    expect(holds(statement, { user: ann, row: { a: 9n, owner: ann, mail: 'Ann@example.org' } })).toBe(true)
    expect(holds(statement, { user: ann, row: { a: 1n, owner: ann } })).toBe(true)
    expect(holds(statement, { user: bob, row: { a: 1n, owner: ann } })).toBe(false)
    const any = must(eventStatement(apiWith('read', '_ROW_.x = _ROW_.mail')), 'a rule')
    expect([holds(any, { row: { x: 1n, mail: '1' } }), holds(any, { row: { x: '1', mail: '1' } })]).toEqual([false, true])
    expect(holds(eventStatement(apiWith('read', '_USER_.id IS NOT NULL')), { user: ann })).toBe(true)
  })

  test('a relation of values has every column', () => {
    const { sql, params } = valuesRelation(scene.relation('note'), 3)
    expect(params.map(param => (param.kind === 'row' ? param.column.name : ''))).toEqual(['a', 'b', 'owner', 'mail', 'r', 'x'])
    const row = scene.db.prepare<Record<string, SqlValue>, SqlValue[]>(`SELECT v.*, v.mail = 'M', ?1, ?2 FROM ${sql} AS v`).values(null, null, -9223372036854775808n, 'b', ann, 'm', 1, 'any')[0]
    expect(row).toEqual([-9223372036854775808n, 'b', ann, 'm', 1, 'any', 1n, null, null])
  })
})

describe('at random', () => {
  const text = fc.constantFrom('x', 'X', 'y', '1', '01', '')
  const value = { a: fc.constantFrom(0n, 1n, 2n, 9223372036854775807n), b: text, owner: fc.constantFrom(ann, bob), mail: text, r: fc.constantFrom(0, 0.5, 1, 2.5), x: fc.oneof(text, fc.constantFrom(1n, 0.5, ann)) }
  const optional = (values: Partial<Record<string, fc.Arbitrary<SqlValue>>>) => fc.record(Object.fromEntries(Object.entries(values).map(([name, one]) => [name, fc.option(must(one, 'an arbitrary'))])))
  const names = Object.keys(value)
  const operand = (relations: readonly string[]) => fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...relations), fc.constantFrom(...names)).map(([relation, name]) => `${relation}.${name}`) },
    fc.constantFrom('_USER_.id', 'NULL', '1', '0.5', "'x'", "'1'", '2'),
  )
  const expression = (relations: readonly string[], isRequest: boolean) =>
    fc.letrec<{ value: string; truth: string }>(tie => ({
      value: fc.oneof({ depthSize: 'small' }, operand(relations), fc.tuple(tie('value'), fc.constantFrom('+', '-', '||', '*'), tie('value')).map(parts => parts.join(' ')), tie('truth').map(inner => `(${inner})`), tie('truth').map(inner => `CASE WHEN ${inner} THEN 0.5 ELSE 1 END`)),
      truth: fc.oneof(
        { depthSize: 'small' },
        fc.tuple(operand(relations), fc.constantFrom('=', '<', '>=', '<>', 'IS', 'IS NOT', 'LIKE'), tie('value')).map(parts => parts.join(' ')),
        fc.tuple(tie('truth'), fc.constantFrom('AND', 'OR'), tie('truth')).map(parts => parts.join(' ')),
        tie('truth').map(inner => `NOT ${inner}`),
        fc.tuple(tie('truth'), fc.constantFrom('* 0.5', 'IN (1, 2)', 'ISNULL', 'NOT NULL', '+ 0.5', "|| 'a'", '= 0.5', 'BETWEEN 0 AND 0.5', 'COLLATE NOCASE')).map(parts => parts.join(' ')),
        tie('value'),
        fc.tuple(operand(relations)).map(([one]) => `EXISTS (SELECT 1 FROM _user AS u WHERE u.email = ${one} OR u.id = _USER_.id)`),
        ...(isRequest ? [fc.constantFrom(...names).map(name => `'${name}' IN _REQ_FIELDS_`), fc.constant('(SELECT b FROM _REQ_) IS NOT NULL')] : []),
        fc.constant('_USER_.id IN (SELECT id FROM _USER_) /* as a table */'),
      ),
    })).truth

  /** The words of trailbase-api.md §7.2 taken literally: relations of one row, and nothing replaced. */
  function literally(rule: string, given: Given): boolean {
    const request = names.map(name => given.request?.[name] ?? null)
    const relations = `_USER_(id) AS (SELECT ?1), _REQ_FIELDS_(name) AS (SELECT value FROM json_each(?2)), _REQ_(${names.join(', ')}) AS (SELECT ${names.map((_, i) => `?${i + 5}`).join(', ')})`
    const sql = `WITH ${relations} SELECT CAST((${rule}) AS INTEGER) FROM _USER_, _REQ_, (SELECT * FROM note WHERE a = ?3 AND b = ?4) AS _ROW_`
    const values = [given.user ?? null, JSON.stringify(Object.keys(given.request ?? {})), given.key?.[0] ?? null, given.key?.[1] ?? null, ...request]
    const found = scene.db.prepare<Record<string, SqlValue>, SqlValue[]>(sql).values(...values)[0]?.[0]
    return typeof found === 'bigint' && found !== 0n
  }

  const callers = fc.constantFrom<(Uint8Array | undefined)[]>(ann, bob, undefined)

  test('a rule with parameters judges as over relations', () => {
    fc.assert(
      fc.property(expression(['_ROW_', '_REQ_'], true), callers, optional(value), fc.constantFrom([1n, 'x'], [2n, 'y']), (rule, user, request, key) => {
        const given = { request, key, ...(user === undefined ? {} : { user }) }
        expect(judged('update', rule, given)).toBe(literally(rule, given))
      }),
      { numRuns: 300 },
    )
  })

  test('a stored row is judged alike by key, in a scan and by its values', () => {
    const row = fc.record({ a: value.a, b: value.b, owner: fc.option(value.owner), mail: fc.option(value.mail), r: fc.option(value.r), x: fc.option(value.x) })
    fc.assert(
      fc.property(expression(['_ROW_'], false), callers, row, (rule, user, stored) => {
        const api = apiWith('read', rule)
        const given = { row: stored, key: [stored.a, stored.b], ...(user === undefined ? {} : { user }) }
        scene.db.run('SAVEPOINT s')
        try {
          scene.db.run('DELETE FROM note')
          scene.db.run('INSERT INTO note VALUES (?, ?, ?, ?, ?, ?)', [stored.a, stored.b, stored.owner, stored.mail, stored.r, stored.x])
          const condition = must(rowCondition(api, '_ROW_', 1), 'a rule')
          const scanned = scene.db.prepare<Record<string, SqlValue>, SqlValue[]>(`SELECT 1 FROM note AS "_ROW_" WHERE ${condition.sql}`).values(...bound(condition, given)).length === 1
          const byKey = holds(ruleStatement(api, 'read'), given)
          expect([rule, scanned, holds(eventStatement(api), given)]).toEqual([rule, byKey, byKey])
        } finally {
          scene.db.run('ROLLBACK TO s')
          scene.db.run('RELEASE s')
        }
      }),
      { numRuns: 300 },
    )
  })
})
