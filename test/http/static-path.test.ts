/** Names of files that may be served, and names that a build made of the content. */
import { describe, expect, test } from 'bun:test'
import { hasSuffix, isHashed, staticSegments } from '../../src/http/static-path.ts'

test.each([
  ['/', ['']],
  ['/a/b.css', ['a', 'b.css']],
  ['/a%20b/', ['a b', '']],
  ['/.well-known/assetlinks.json', ['.well-known', 'assetlinks.json']],
  ['/a/.well-known/x', null],
  ['/.env', null],
  ['/a/.git/config', null],
  ['/../x', null],
  ['/%2e%2e/x', null],
  ['/a%2fb', null],
  ['/a%5cb', null],
  ['/a%00.html', null],
  ['/a//b', null],
  ['//evil.example', null],
  ['/%', null],
] as const)('%s', (path, segments) => expect(staticSegments(path)).toEqual(segments === null ? null : [...segments]))

describe('a hash of the content', () => {
  const hashed = ['index-B2xk91Qz.js', 'main.3f2a9c1b.css', 'chunk-ABCDEFGH.js', 'app.0f3ab2c19d4e5f60.js', 'index-D3f_aB12.js.map', 'a.0123456789abcdef0123.woff2']
  const plain = ['index.html', 'app.js', 'my-component.js', 'jquery-3.6.0.min.js', 'report-20260101.pdf', 'pic-summer24.jpg', 'icon-dark-v2b.js', 'B2xk91Qz.js', 'x-1234test.js', 'data.json']
  test.each(hashed)('is in %s', name => expect(isHashed(name)).toBe(true))
  test.each(plain)('is not in %s', name => expect(isHashed(name)).toBe(false))
})

test('a suffix makes a file of a path', () => {
  expect(['/a.js', '/a.b/', '/a/b', '/'].map(path => hasSuffix(staticSegments(path) ?? []))).toEqual([true, false, false, false])
})
