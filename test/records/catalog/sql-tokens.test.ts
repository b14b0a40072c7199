/** Tokens of SQL: every kind, comments, and that any text either is refused or comes back as it was. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { SqlTextError, tokenize } from '../../../src/records/catalog/sql-tokens.ts'

const kinds = (sql: string) => tokenize(sql).map(token => [token.kind, token.value])

describe('tokens', () => {
  test('of every kind', () => {
    expect(kinds(`a "b""c" [d e] \`f\` 'g''h' x'0aFF' 1.5e-3 0x1F .5 1_000 ?1 :n @n $n ->> || <> ; größe`)).toEqual([
      ['word', 'a'], ['quoted', 'b"c'], ['quoted', 'd e'], ['quoted', 'f'], ['string', "g'h"], ['blob', "x'0aFF'"],
      ['number', '1.5e-3'], ['number', '0x1F'], ['number', '.5'], ['number', '1_000'],
      ['parameter', '?1'], ['parameter', ':n'], ['parameter', '@n'], ['parameter', '$n'],
      ['operator', '->>'], ['operator', '||'], ['operator', '<>'], ['operator', ';'], ['word', 'größe'],
    ])
  })

  test('comments are no tokens, and quotes in them open nothing', () => {
    expect(kinds(`a -- it's\nb /* " */ c /* open '`)).toEqual([['word', 'a'], ['word', 'b'], ['word', 'c']])
    expect(kinds(`'--' "/*" [--]`)).toEqual([['string', '--'], ['quoted', '/*'], ['quoted', '--']])
  })

  test('an open quote and foreign characters are refused with their place', () => {
    for (const [sql, at] of [["a 'b", 2], ['"', 0], ['x [y', 2], ['a ^ b', 2], ['`', 0], ['{', 0]] as const) {
      const failed = (() => {
        try {
          tokenize(sql)
        } catch (error) {
          return error
        }
      })()
      expect(failed).toBeInstanceOf(SqlTextError)
      expect(failed).toMatchObject({ at })
    }
  })

  test('stand where they say, in order, for any text', () => {
    const part = fc.constantFrom("'", '"', '[', ']', '`', '--', '/*', '*/', '\n', ' ', 'a', "x'", '0x', '1e', '.', '?', ':a', '💥', '(', ')', ';', '->', '>')
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(part).map(parts => parts.join(''))), sql => {
        let last = 0
        try {
          for (const { text, start, end } of tokenize(sql)) {
            expect(start).toBeGreaterThanOrEqual(last)
            expect(sql.slice(start, end)).toBe(text)
            expect(end).toBeGreaterThan(start)
            last = end
          }
        } catch (error) {
          if (!(error instanceof SqlTextError)) throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})
