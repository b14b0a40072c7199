/** What counts as a broken invariant, and what a check hands back. */
import { expect, test } from 'bun:test'
import { assert, AssertionError, must } from '../../src/lib/assert.ts'
import { Refusal } from '../../src/lib/errors.ts'

test.each([false, null, undefined, 0, '', NaN])('%p is no condition that holds', condition => {
  expect(() => assert(condition, 'it holds')).toThrow(new AssertionError('it holds'))
})

test.each([[true], [1], ['x'], [{}], [[]]])('%p holds', condition => {
  expect(() => assert(condition, 'it holds')).not.toThrow()
})

test.each([false, 0, '', NaN])('%p is a value', value => {
  expect(must<unknown>(value, 'there is one')).toBe(value)
})

test.each([null, undefined])('%p is none', value => {
  expect(() => must(value, 'there is one')).toThrow(new AssertionError('there is one'))
})

test('a broken invariant is never taken for a refusal', () => {
  const error = new AssertionError('x')
  expect(error.name).toBe('AssertionError')
  expect(error).not.toBeInstanceOf(Refusal)
})
