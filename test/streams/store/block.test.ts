/** Borders of records inside a block, compared with a plain list. */
import { expect, test } from 'bun:test'
import { boundaryAfter, boundaryUpTo, isBoundary, joinBlocks, type Block } from '../../../src/streams/store/block.ts'

const lengths = [3, 1, 7, 2, 10, 1, 1, 5]
const start = 100

function records(): Block[] {
  let at = start
  return lengths.map(length => {
    const block = { start: at, end: at + length, bytes: new Uint8Array(length).fill(length), ends: null }
    at += length
    return block
  })
}

test('joined blocks, also of joined ones, hold every byte and border', () => {
  const [first, ...rest] = records()
  if (first === undefined) throw new Error('there are records')
  expect(joinBlocks([first])).toBe(first)
  const joined = joinBlocks([joinBlocks([first, ...rest.slice(0, 2)]), joinBlocks(rest.slice(2))])
  expect([...(joined.ends ?? [])]).toEqual([3, 4, 11, 13, 23, 24, 25, 30])
  expect([...joined.bytes]).toEqual(lengths.flatMap(length => Array<number>(length).fill(length)))
  expect(() => joinBlocks([])).toThrow()
})

test('borders are where records end', () => {
  const block = joinBlocks(records())
  const borders = [start, ...[...(block.ends ?? [])].map(end => start + end)]
  for (let at = start; at <= block.end; at++) {
    expect(isBoundary(block, at)).toBe(borders.includes(at))
    if (at < block.end) expect(boundaryAfter(block, at)).toBe(borders.find(border => border > at) ?? NaN)
    for (let limit = at; limit <= block.end + 1; limit++) {
      expect(boundaryUpTo(block, at, limit)).toBe(limit >= block.end ? block.end : (borders.findLast(border => border > at && border <= limit) ?? null))
    }
  }
})
