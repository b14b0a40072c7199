/** Addresses, base64 and regular expressions, the last against patterns made to hurt (field.md S6). */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { connection, refusalOf, valueOf } from './connection.ts'

const db = connection()

test('addresses', () => {
  const good = ['a@b', 'admin@localhost', 'first.last+tag@sub.example.com', "!#$%&'*+/=?^_`{|}~-@x.y", 'a@[127.0.0.1]', 'a@[IPv6:::1]', 'a@münchen.de', `${'a'.repeat(64)}@b.c`, `a@${'b'.repeat(63)}.c`]
  const bad = ['', '@', 'a', 'a@', '@b', 'a b@c', 'a@b c', 'a@-b', 'a@b-', 'a@b..c', 'a@b.', 'é@b', 'a@b@c', 'a@b\n', 'a@[1.2.3]', `${'a'.repeat(65)}@b.c`, `a@${'b'.repeat(64)}.c`, `a@${'b.'.repeat(128)}c`]
  expect(good.filter(text => valueOf(db, 'is_email(?1)', text) !== 1n)).toEqual([])
  expect(bad.filter(text => valueOf(db, 'is_email(?1)', text) !== 0n)).toEqual([])
})

test('base64 goes there and back in both alphabets', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
      expect(valueOf(db, 'base64(?1)', bytes)).toBe(Buffer.from(bytes).toString('base64'))
      expect(valueOf(db, 'base64(base64(?1))', bytes)).toEqual(bytes)
      expect(valueOf(db, 'base64_url_safe(base64_url_safe(?1))', bytes)).toEqual(bytes)
      expect(valueOf(db, 'base64_url_safe(?1)', bytes)).toBe(Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_'))
    }),
  )
  for (const wrong of ['A', 'AA', 'AAA', 'AB==', 'AAA=A', '****']) expect(refusalOf(db, 'base64(?1)', wrong)).toContain('not padded base64')
})

describe('regexp', () => {
  test('means what RE2 means', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['pattern', '', false],
      ['.*', 'Something', true],
      ['^abc$', 'xabc', false],
      ['(?i)ABC', 'xabcx', true],
      ['\\d{2}', 'a12', true],
      ['^\\p{Lu}', 'Éa', true],
      ['[[:alpha:]]+', '12', false],
      ['a|b', 'b', true],
      ['^.$', '😀', true],
    ]
    expect(cases.filter(([pattern, text, found]) => (valueOf(db, '?2 REGEXP ?1', pattern, text) === 1n) !== found)).toEqual([])
    expect(valueOf(db, `regexp('^4', 42)`)).toBe(1n)
  })

  test('finds literal text as `includes` does', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ maxLength: 3 }), (text, part) => {
        const literal = part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
        expect(valueOf(db, 'regexp(?1, ?2)', literal, text) === 1n).toBe(text.includes(part))
      }),
    )
  })

  test('refuses patterns that are none, too long, or too much for the text', () => {
    for (const pattern of ['(', '[', 'a**', '(?=a)', '\\1', 'a{1001}', '((a{100}){100}){100}']) expect(refusalOf(db, `regexp(?1, 'a')`, pattern)).toStartWith('regexp: error parsing regexp: ')
    expect(refusalOf(db, `regexp(?1, 'a')`, 'a'.repeat(1001))).toBe('regexp: a pattern has at most 1000 characters')
    expect(refusalOf(db, `regexp('[ab]{500}c', ?1)`, 'a'.repeat(100_000))).toBe('regexp: the text is too long for this pattern')
  })

  // Patterns that take exponential or quadratic time where matching backtracks.
  const hurting: readonly (readonly [string, string])[] = [
    ['^(a+)+$', 'a'.repeat(10_000) + '!'],
    ['^([a-zA-Z]+)*$', 'a'.repeat(10_000) + '!'],
    ['^(a|aa)+$', 'a'.repeat(10_000) + '!'],
    ['^(a|a?)+$', 'a'.repeat(10_000) + '!'],
    ['(.*a){20}$', 'a'.repeat(2_000) + '!'],
    ['(x+x+)+y', 'x'.repeat(10_000)],
    ['(?:a?){30}a{30}', 'a'.repeat(30)],
    ['^(\\w+\\s?)*$', 'word '.repeat(2_000) + '!'],
    ['^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$', 'a'.repeat(5_000) + '!'],
    ['\\s+$', ' '.repeat(20_000) + 'x'],
    ['(.*)*(.*)*(.*)*=', 'a'.repeat(5_000)],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(10_000)],
  ]
  test.each([...hurting])('%s is quick', (pattern, text) => {
    valueOf(db, 'regexp(?1, ?2)', pattern, 'warm')
    const took = Math.min(...[1, 2, 3].map(() => timed(() => valueOf(db, 'regexp(?1, ?2)', pattern, text))))
    expect(took).toBeLessThan(50)
  })
})

test('a password is hashed as the accounts verify it, each time with another salt', async () => {
  const [one, two] = [String(valueOf(db, `hash_password('secret')`)), String(valueOf(db, `hash_password('secret')`))]
  expect(one).not.toBe(two)
  expect(await Bun.password.verify('secret', one)).toBe(true)
  expect(await Bun.password.verify('Secret', two)).toBe(false)
})

function timed(run: () => unknown): number {
  const startedAt = performance.now()
  run()
  return performance.now() - startedAt
}
