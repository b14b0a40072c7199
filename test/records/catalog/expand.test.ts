/** The `expand` list: parents, children, second steps, their guards, and the text of every problem. */
import { describe, expect, test } from 'bun:test'
import { must } from '../../../src/lib/assert.ts'
import { SchemaScene, userTable, type ApiOptions } from './schema-scene.ts'

const scene = new SchemaScene(
  [
    userTable,
    'CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT, _note TEXT, account BLOB REFERENCES _user) STRICT',
    `CREATE TABLE post (id INTEGER PRIMARY KEY, author INTEGER REFERENCES author(id), reviewer INTEGER REFERENCES author, "a.b" INTEGER REFERENCES author(id),
      owner BLOB REFERENCES _user(id), _by INTEGER REFERENCES author(id), plain INTEGER, lost INTEGER REFERENCES gone(id), pair INTEGER REFERENCES pairs(a), byname TEXT REFERENCES named(name)) STRICT`,
    'CREATE TABLE comment (id INTEGER PRIMARY KEY, post INTEGER NOT NULL REFERENCES post(id), author INTEGER REFERENCES author(id)) STRICT',
    'CREATE TABLE pairs (a INTEGER UNIQUE, b INTEGER, PRIMARY KEY (a, b)) STRICT',
    'CREATE TABLE named (id INTEGER PRIMARY KEY, name TEXT UNIQUE) STRICT',
    'CREATE VIEW post_view AS SELECT id, author FROM post',
  ],
  ['extra'],
)

const guards: readonly ApiOptions[] = [
  { name: 'authors', tableName: 'author', aclWorld: ['read'], excludedColumns: ['mail'] },
  { name: 'members', tableName: 'author', aclAuthenticated: ['read'], readAccessRule: '_ROW_.mail IS NULL OR 1 -- all' },
  { name: 'closed', tableName: 'author' },
  { name: 'comments', tableName: 'comment', aclWorld: ['read'], readAccessRule: '_ROW_.id > 0' },
  { name: 'users', tableName: '_user', aclWorld: ['read'], excludedColumns: ['password_hash', 'totp_secret'] },
]

const expanded = (expand: readonly string[], options: Partial<ApiOptions> = {}) => scene.api({ name: 'posts', tableName: 'post', expand, ...options }, ...guards).expand

describe('expand', () => {
  test('of a parent shows what is not hidden, as TrailBase does', () => {
    const target = must(expanded(['author']).get('author'), 'it is there')
    expect(target).toMatchObject({ kind: 'parent', name: 'author', readRule: null })
    expect([target.column.name, target.relation.name, target.via.name]).toEqual(['author', 'author', 'id'])
    expect(target.visible.map(column => column.name)).toEqual(['id', 'name', 'mail', 'account'])
  })

  test('with a guard shows what that API shows, to whom it shows it', () => {
    const authors = must(expanded(['author@authors']).get('author'), 'it is there')
    expect(authors.visible.map(column => column.name)).toEqual(['id', 'name', 'account'])
    expect(authors.readRule).toBeNull()
    expect(expanded(['author@members']).get('author')?.readRule).toBe('_USER_.id IS NOT NULL AND (_ROW_ . mail IS NULL OR 1)')
    expect(expanded(['owner@users']).get('owner')?.visible.map(column => column.name)).toEqual(['id', 'email', 'admin'])
  })

  test('of children and of second steps', () => {
    const targets = expanded(['author', 'comments:comment.post@comments', 'comments.author@authors', 'author.account@users'])
    const children = must(targets.get('comments'), 'it is there')
    expect(children).toMatchObject({ kind: 'children', readRule: '(_ROW_ . id > 0)' })
    expect([children.column.name, children.relation.name, children.via.name]).toEqual(['id', 'comment', 'post'])
    expect(children.next.get('author')?.visible.map(column => column.name)).toEqual(['id', 'name', 'account'])
    expect(targets.get('author')?.next.get('account')?.relation.name).toBe('_user')
  })

  test('of a view goes by what its columns are', () => {
    expect(expanded(['author'], { tableName: 'post_view' }).get('author')?.relation.name).toBe('author')
  })

  test('of a column with signs in its name', () => {
    expect([...expanded(['a.b', 'a.b.account@users'].slice(0, 1)).keys()]).toEqual(['a.b'])
  })
})

const wrong: readonly (readonly [readonly string[], string])[] = [
  [['autor'], '"autor": "post" shows no column "autor"; did you mean "author"?'],
  [['_by'], '"_by": the column is hidden, because its name begins with "_"'],
  [['plain'], '"plain": the column has no foreign key'],
  [['lost'], '"lost": its foreign key points to the table "gone", which does not exist'],
  [['pair'], '"pair": its foreign key has to point to the primary key of "pairs", which has to be one column'],
  [['byname'], '"byname": its foreign key has to point to the primary key of "named", which has to be one column'],
  [['owner'], '"owner": "_user" is a table of the server; name the API that guards it: "owner@api"'],
  [['author@author'], '"author@author": there is no API "author"; did you mean "authors"?'],
  [['author@comments'], '"author@comments": the API "comments" serves "comment", not "author"'],
  [['author@closed'], '"author@closed": the API "closed" lets nobody read; give it READ in acl_authenticated or acl_world'],
  [['author', 'author@authors'], '"author@authors": it is listed twice'],
  [['comments:comment.post'], '"comments:comment.post": records that point here need the API that guards them: "comments:comment.post@api"'],
  [['comments:coment.post@comments'], '"comments:coment.post@comments": there is no table "coment" in the database "main"; did you mean "comment"?'],
  [['comments:comment.pos@comments'], '"comments:comment.pos@comments": "comment" has no column "pos"; did you mean "post"?'],
  [['comments:comment.author@comments'], '"comments:comment.author@comments": "comment.author" is no foreign key to "post"'],
  [['plain:comment.post@comments'], '"plain:comment.post@comments": "plain" is a column of this API already; choose another name'],
  [['_c:comment.post@comments'], '"_c:comment.post@comments": "_c" is no name for the records: letters, digits and "_", which cannot come first'],
  [['author.account@users'], '"author.account@users": "author" has to be in the list itself, before something behind it can be'],
  [['author', 'author.account'], '"author.account": the second step needs the API that guards it: "author.account@api"'],
  [['author@authors', 'author.mail@users'], '"author.mail@users": "author" shows no column "mail"'],
]

describe('problems', () => {
  test.each(wrong)('%j', (expand, text) => {
    expect(scene.problems({ name: 'posts', tableName: 'post', expand }, ...guards)).toEqual([`record_apis[0] "posts": expand: ${text}`])
  })

  test('a guard that is broken itself is not told to be missing', () => {
    const problems = scene.problems({ name: 'posts', tableName: 'post', expand: ['author@broken'] }, { name: 'broken', tableName: 'autor' })
    expect(problems).toEqual([
      'record_apis[1] "broken": table_name: there is no table or view "autor" that can be an API; did you mean "author"?',
      'record_apis[0] "posts": expand: "author@broken": the API "broken" has problems of its own',
    ])
  })

  test('an excluded column is not expanded', () => {
    const problems = scene.problems({ name: 'posts', tableName: 'post', expand: ['author'], excludedColumns: ['author'] })
    expect(problems[0]).toStartWith('record_apis[0] "posts": expand: "author": "post" shows no column "author"')
  })
})
