/** Views: types, meanings and keys of their columns, and that a key the catalog finds tells all rows apart. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { must } from '../../../src/lib/assert.ts'
import { SchemaScene, userTable } from './schema-scene.ts'

const tables = [
  userTable,
  `CREATE TABLE author (id BLOB PRIMARY KEY CHECK(is_uuid(id)), name TEXT NOT NULL COLLATE NOCASE, about TEXT CHECK(jsonschema('profile', about))) STRICT`,
  `CREATE TABLE post (id INTEGER PRIMARY KEY, author BLOB NOT NULL REFERENCES author(id), title TEXT NOT NULL, score REAL, x ANY) STRICT`,
  'CREATE TABLE tagged (post INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (post, tag)) STRICT, WITHOUT ROWID',
  'CREATE TABLE slug (id INTEGER PRIMARY KEY, text TEXT UNIQUE, other TEXT, partly TEXT, loose TEXT) STRICT',
  'CREATE UNIQUE INDEX two ON slug (other, text)',
  'CREATE UNIQUE INDEX part ON slug (partly) WHERE id > 5',
  'CREATE UNIQUE INDEX expression ON slug (upper(loose))',
]

const view = (select: string) => new SchemaScene([...tables, `CREATE VIEW v AS ${select}`]).relation('v')

describe('columns', () => {
  test('are followed through names, stars, casts, MIN and count', () => {
    const relation = view(`SELECT p.*, a.name AS "the name", CAST(score * 2 AS INTEGER) AS twice, a.about about, (p.id) again, CAST(title AS TEXT), _u.email AS _mail, 1, 2.5 AS half, 'x' AS x2
      FROM post AS p LEFT JOIN author a ON a.id = p.author LEFT JOIN _user _u ON _u.id = a.id`)
    expect(relation.problems).toEqual([])
    expect(relation.columns.map(column => [column.name, column.type, column.isNullable, column.format.kind])).toEqual([
      ['id', 'INTEGER', false, 'plain'], ['author', 'BLOB', false, 'plain'], ['title', 'TEXT', false, 'plain'], ['score', 'REAL', true, 'plain'], ['x', 'ANY', true, 'plain'],
      ['the name', 'TEXT', true, 'plain'], ['twice', 'INTEGER', true, 'plain'], ['about', 'TEXT', true, 'json'], ['again', 'INTEGER', false, 'plain'],
      ['CAST(title AS TEXT)', 'TEXT', true, 'plain'], ['_mail', 'TEXT', true, 'plain'],
      ['1', 'INTEGER', false, 'plain'], ['half', 'REAL', false, 'plain'], ['x2', 'TEXT', false, 'plain'],
    ])
    expect(relation.columns[1]?.reference).toEqual({ table: 'author', column: 'id', isExplicit: true })
    expect(relation.columns[5]?.collation).toBe('NOCASE')
    expect(relation.columns[10]?.isHidden).toBe(true)
    expect(relation.key.map(column => column.name)).toEqual(['id'])
  })

  test('through views of views, whichever comes first', () => {
    const scene = new SchemaScene([...tables, 'CREATE VIEW outer_view AS SELECT key AS k, name FROM inner_view', 'CREATE VIEW inner_view AS SELECT id AS key, name FROM author'])
    expect(scene.relation('outer_view').key.map(column => [column.name, column.format.kind])).toEqual([['k', 'uuid']])
  })

  test('named in the head of the view', () => {
    const scene = new SchemaScene([...tables, 'CREATE VIEW v (a, b) AS SELECT id, title FROM post'])
    expect(scene.relation('v').columns.map(column => [column.name, column.type])).toEqual([['a', 'INTEGER'], ['b', 'TEXT']])
    expect(scene.relation('v').key.map(column => column.name)).toEqual(['a'])
  })

  test('without a type say so', () => {
    expect(view('SELECT id, score + 1 AS more, title || author AS both FROM post').problems).toEqual([
      'the type of its column "more" is unknown; write CAST(… AS INTEGER), REAL, TEXT or BLOB',
      'the type of its column "both" is unknown; write CAST(… AS INTEGER), REAL, TEXT or BLOB',
    ])
  })
})

describe('secrets of _user', () => {
  const secret: readonly (readonly [string, readonly string[]])[] = [
    ['SELECT * FROM _user', ['password_hash', 'totp_secret']],
    ['SELECT id, password_hash AS harmless FROM _user', ['harmless']],
    ['SELECT id, CAST(upper(password_hash) AS TEXT) AS harmless, CAST(email AS TEXT) AS mail FROM _user', ['harmless']],
    ['SELECT a.id, CAST((SELECT totp_secret FROM _user AS u WHERE u.id = a.id) AS TEXT) AS t, a.name FROM author AS a', ['t']],
    ['SELECT p.id, CAST(s.h AS TEXT) AS h FROM post AS p JOIN (SELECT password_hash AS h FROM _user) AS s', ['h']],
    ['SELECT id, CAST((SELECT h FROM hidden_one) AS TEXT) AS h FROM post', ['h']],
    ['SELECT id, email FROM _user WHERE password_hash IS NOT NULL', []],
  ]
  test.each(secret)('%s', (select, names) => {
    const scene = new SchemaScene([...tables, `CREATE VIEW v AS ${select}`, 'CREATE VIEW hidden_one AS SELECT id, password_hash AS h FROM _user'])
    expect(scene.relation('v').columns.filter(column => column.isSecret).map(column => column.name)).toEqual([...names])
    const problems = scene.problems({ name: 'x', tableName: 'v' }).filter(text => text.includes('holds a secret'))
    expect(problems).toEqual(names.map(name => `record_apis[0] "x": excluded_columns: "${name}" holds a secret of the accounts (\`_user\`) and must be excluded`))
  })
})

/** A view, and the names of its key or a part of the reason why it has none. */
const keys: readonly (readonly [string, readonly string[] | string])[] = [
  ['SELECT title, id FROM post', ['id']],
  ['SELECT DISTINCT id, title FROM post WHERE score > 1 ORDER BY title LIMIT 5', ['id']],
  ['SELECT title FROM post', 'primary key of a table in its FROM'],
  ['SELECT post, tag FROM tagged', ['post', 'tag']],
  ['SELECT post FROM tagged', 'primary key of a table in its FROM'],
  ['SELECT p.id, a.name FROM post p JOIN author a ON p.author = a.id', ['id']],
  ['SELECT p.id, a.name FROM post p, author a WHERE p.author = a.id', ['id']],
  ['SELECT p.id, a.name FROM author a JOIN post p ON p.author = a.id', ['id']],
  ['SELECT a.id, p.title FROM author a JOIN post p ON p.author = a.id', 'the join with "p" may repeat the rows of "a"'],
  ['SELECT a.id, p.title FROM author a LEFT JOIN post p ON p.author = a.id', 'the join with "p" may repeat the rows of "a"'],
  ['SELECT p.id, a.name FROM author a LEFT JOIN post p ON p.author = a.id', 'primary key of a table in its FROM'],
  ['SELECT p.id, a.name FROM post p JOIN author a ON p.author = a.id OR 1', 'may repeat'],
  ['SELECT p.id FROM post p JOIN tagged t ON t.post = p.id', 'may repeat'],
  ["SELECT p.id FROM post p JOIN tagged t ON t.post = p.id AND t.tag = 'x'", ['id']],
  ['SELECT p.id, u.email FROM post p JOIN _user u ON u.email = p.title', 'may repeat'],
  ['SELECT p.id, s.text FROM post p JOIN slug s ON s.text = p.title', ['id']],
  ['SELECT p.id, s.text FROM post p JOIN slug s ON s.other = p.title', 'may repeat'],
  ['SELECT p.id, s.text FROM post p JOIN slug s ON s.partly = p.title', 'may repeat'],
  ['SELECT p.id, s.text FROM post p JOIN slug s ON s.loose = p.title', 'may repeat'],
  ['SELECT p.id, q.title FROM post p CROSS JOIN post q', 'may repeat'],
  ['SELECT p.id, q.title FROM post p JOIN post q USING (id)', ['id']],
  ['SELECT * FROM post p JOIN post q USING (id)', ['id']],
  ['SELECT p.id FROM post p NATURAL JOIN author', 'NATURAL JOIN'],
  ['SELECT p.id FROM post p RIGHT JOIN author a ON a.id = p.author', 'RIGHT JOIN'],
  ['SELECT p.id FROM post p JOIN (SELECT 1 AS one) s', 'may repeat'],
  ['SELECT p.id FROM post p JOIN json_each(p.title) j', 'may repeat'],
  ['SELECT p.id FROM post p LEFT JOIN author a ON a.id = p.author LEFT JOIN _user u ON u.id = a.id', ['id']],
  ['SELECT id FROM post UNION SELECT id FROM post', 'UNION'],
  ['WITH c AS (SELECT id FROM post) SELECT id FROM c', 'begins with WITH'],
  ['VALUES (1)', 'begins with VALUES'],
  ['SELECT count(*) AS n FROM post', 'sums up all rows'],
  ['SELECT id, CAST(max(score) AS REAL) AS best FROM post', 'sums up all rows'],
  ['SELECT p.id, count(*) AS n FROM post p JOIN tagged t ON t.post = p.id GROUP BY p.id', ['id']],
  ['SELECT p.id AS pid, count(*) AS n FROM post p JOIN tagged t ON t.post = p.id GROUP BY 1', ['pid']],
  ['SELECT p.id AS pid, count(*) AS n FROM post p JOIN tagged t ON t.post = p.id GROUP BY pid', ['pid']],
  ['SELECT p.id, t.tag FROM post p JOIN tagged t ON t.post = p.id GROUP BY p.id, t.tag', 'both have to be among its columns'],
  ['SELECT max(id) AS id, author FROM post GROUP BY author', ['id']],
  ['SELECT min(p.id) AS id, t.tag FROM post p JOIN tagged t ON t.post = p.id GROUP BY t.tag', 'both have to be among its columns'],
  ['SELECT title, author FROM post GROUP BY author', 'with GROUP BY the key'],
  ['SELECT t.post, t.tag, p.title FROM tagged t JOIN post p ON p.id = t.post', ['post', 'tag']],
  ['SELECT id FROM post WHERE title IS NOT DISTINCT FROM author', ['id']],
  ['SELECT id, title IS DISTINCT FROM x AS d FROM post', ['id']],
]

describe('keys', () => {
  test.each(keys)('%s', (select, key) => {
    const relation = view(select)
    if (typeof key === 'string') {
      expect(relation.key).toEqual([])
      expect((relation.problems ?? []).join('\n')).toContain(key)
    } else {
      expect(relation.key.map(column => column.name)).toEqual([...key])
    }
  })

  // Joins, groups and conditions at random over small tables: whatever has a key must have it in every row, once.
  test('tell the rows apart, and no column is NULL that cannot be', () => {
    const column = fc.tuple(fc.nat(2), fc.constantFrom('k', 'k', 'x')).map(([source, name]) => ({ source, name }))
    const equal = fc.tuple(column, fc.oneof({ weight: 4, arbitrary: column }, fc.constantFrom('1', '2')))
    const condition = fc.tuple(fc.array(equal, { minLength: 1, maxLength: 2 }), fc.constantFrom(' AND ', ' AND ', ' OR '))
    const join = fc.tuple(fc.constantFrom('JOIN', 'LEFT JOIN', 'INNER JOIN', ','), fc.option(condition))
    const shape = fc.record({
      sources: fc.shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 1, maxLength: 3 }),
      joins: fc.array(join, { minLength: 3, maxLength: 3 }),
      where: fc.option(condition),
      shown: fc.array(column, { minLength: 1, maxLength: 4 }),
      group: fc.option(fc.array(column, { minLength: 1, maxLength: 2 })),
      extreme: fc.boolean(),
    })
    const scene = new SchemaScene(['a', 'b', 'c'].map(name => `CREATE TABLE ${name} (k INTEGER PRIMARY KEY, x INTEGER) STRICT`).concat('CREATE TABLE d (k INTEGER, l INTEGER, PRIMARY KEY (k, l)) STRICT'))
    for (const name of ['a', 'b', 'c']) scene.db.run(`INSERT INTO ${name} VALUES (1, 1), (2, 1), (3, 3), (4, NULL)`)
    scene.db.run('INSERT INTO d VALUES (1, 1), (1, 2), (2, 1), (3, 3)')
    let keyed = 0
    fc.assert(
      fc.property(shape, ({ sources, joins, where, shown, group, extreme }) => {
        const column = (at: { readonly source: number; readonly name: string }) => {
          const source = must(sources[at.source % sources.length], 'a source')
          return `${source}.${source === 'd' && at.name === 'x' ? 'l' : at.name}`
        }
        const condition = ([equals, operator]: readonly [readonly (readonly [{ readonly source: number; readonly name: string }, string | { readonly source: number; readonly name: string }])[], string]) =>
          equals.map(([one, other]) => `${column(one)} = ${typeof other === 'string' ? other : column(other)}`).join(operator)
        const joined = sources.map((name, i) => {
          const [word, on] = joins[i] ?? [',', null]
          return i === 0 ? name : ` ${word} ${name}${on === null || word === ',' ? '' : ` ON ${condition(on)}`}`
        })
        const results = shown.map((at, i) => `${extreme && i === 0 && group !== null ? `max(${column(at)})` : column(at)} AS r${i}`)
        const groups = group === null ? '' : ` GROUP BY ${group.map(column).join(', ')}`
        scene.db.run(`CREATE VIEW v AS SELECT ${results.join(', ')} FROM ${joined.join('')}${where === null ? '' : ` WHERE ${condition(where)}`}${groups}`)
        try {
          const relation = scene.relation('v')
          for (const never of relation.columns.filter(column => !column.isNullable)) {
            expect(scene.read(`SELECT count(*) FROM v WHERE ${never.name} IS NULL`)).toEqual([[0n]])
          }
          if (relation.key.length === 0) return
          keyed++
          const key = relation.key.map(part => part.name)
          const [[rows, distinct] = []] = scene.read(`SELECT (SELECT count(*) FROM v), (SELECT count(*) FROM (SELECT DISTINCT ${key.join(', ')} FROM v WHERE ${key.map(name => `${name} IS NOT NULL`).join(' AND ')}))`)
          expect(distinct).toBe(must(rows, 'count(*) gives a row'))
        } finally {
          scene.db.run('DROP VIEW v')
        }
      }),
      { numRuns: 1000 },
    )
    expect(keyed).toBeGreaterThan(100)
  })
})
