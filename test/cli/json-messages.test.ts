/** Cutting JSON arrays into the texts of their elements. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { messagesOf } from '../../src/cli/json-messages.ts'

test('gives back the elements of any array', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(undefined, 2), (values, space) => {
      const messages = messagesOf(JSON.stringify(values, null, space))
      expect(messages.map(message => JSON.parse(message))).toEqual(values.map(value => JSON.parse(JSON.stringify(value))))
      expect(messages.every(message => !message.includes('\n'))).toBe(true)
    }),
  )
})

test('keeps every digit, the order of keys and keys that come twice', () => {
  expect(messagesOf('[12345678901234567890, 1.10 ,{"b":1,"a":2,"b":3}]')).toEqual(['12345678901234567890', '1.10', '{"b":1,"a":2,"b":3}'])
  expect(messagesOf('[]')).toEqual([])
  expect(messagesOf(' [ ] ')).toEqual([])
})
