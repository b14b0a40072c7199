/** Offset tokens: what is one, what is none, and that text order is stream order. */
import { expect, test } from 'bun:test'
import { formatOffset, parseOffset, parseReadOffset } from '../../../src/streams/protocol/offset.ts'
import { refusalOf } from '../../support/stream-store.ts'

const largest = Number.MAX_SAFE_INTEGER
const zeros = '0'.repeat(16)

test.each([
  [0, 0, `${zeros}_${zeros}`],
  [0, 7, `${zeros}_0000000000000007`],
  [0, 1234567890, `${zeros}_0000001234567890`],
  [0, largest, `${zeros}_9007199254740991`],
  [1, 0, `0000000000000001_${zeros}`],
  [42, largest, '0000000000000042_9007199254740991'],
])('incarnation %d, position %d is %s, both ways', (incarnation, at, token) => {
  expect(formatOffset({ incarnation, at })).toBe(token)
  expect(parseOffset(token)).toEqual({ incarnation, at })
})

test('positions of every length are in order as text, and those of a later incarnation come after all of them', () => {
  const positions = Array.from({ length: 16 }, (_, i) => [10 ** i - 1, 10 ** i].filter(at => at <= largest)).flat()
  const tokens = [0, 1, 10].flatMap(incarnation => positions.map(at => formatOffset({ incarnation, at })))
  expect(tokens.toSorted()).toEqual(tokens)
  expect(new Set(tokens.map(token => token.length))).toEqual(new Set([33]))
})

test.each(['', '0', '-1', 'now', `${zeros}_`, `_${zeros}`, `${zeros}${zeros}`, `${zeros}-${zeros}`, `0${zeros}_${zeros}`, `${zeros}_${zeros}0`, `${zeros}_${zeros.slice(1)}`, ` ${zeros}_${zeros}`, `${zeros}_${zeros}\n`, `${zeros}_+${zeros.slice(1)}`, `${zeros}_${zeros.slice(1)}a`, `${zeros}_${zeros.slice(1)}٣`])(
  '%j is no token',
  async token => {
    expect(await refusalOf(() => parseOffset(token))).toBe('invalid_offset')
  },
)

test.each([
  [[], 'start'],
  [['-1'], 'start'],
  [['now'], 'now'],
  [[`${zeros}_0000000000000009`], { incarnation: 0, at: 9 }],
] as const)('offset=%j reads from %j', (values, expected) => {
  expect(parseReadOffset(values)).toEqual(expected)
})

test.each([[['']], [['NOW']], [['-2']], [['0']], [['now', 'now']], [['-1', `${zeros}_${zeros}`]]])('offset=%j is refused', async values => {
  expect(await refusalOf(() => parseReadOffset(values))).toBe('invalid_offset')
})
