/** A lazy value is made once, when it is asked for, whatever it is. */
import { expect, test } from 'bun:test'
import { lazily } from '../../src/lib/lazily.ts'

test.each([[{}], ['text'], [0], [null], [undefined], [false]])('%p is made by the first question and by no other', value => {
  let made = 0
  const get = lazily<unknown>(() => (made++, value))
  expect(made).toBe(0)
  expect(get()).toBe(value)
  expect(get()).toBe(value)
  expect(made).toBe(1)
})

test('what could not be made is tried again', () => {
  let attempts = 0
  const get = lazily(() => {
    if (++attempts === 1) throw new Error('not yet')
    return attempts
  })
  expect(get).toThrow('not yet')
  expect(get()).toBe(2)
  expect(get()).toBe(2)
})
