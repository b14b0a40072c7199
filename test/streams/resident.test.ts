/** Blocks in memory: found by position, dropped when applied, taken back when lost, joined when they stay. */
import { expect, test } from 'bun:test'
import { ResidentBlock, ResidentBlocks } from '../../src/streams/resident.ts'
import { isBoundary } from '../../src/streams/store/block.ts'

function filled(count: number, bytes: number): ResidentBlocks {
  const blocks = new ResidentBlocks()
  for (let i = 0; i < count; i++) {
    blocks.push(ResidentBlock.joined({ start: i * bytes, end: (i + 1) * bytes, bytes: new Uint8Array(bytes).fill(i & 0xff), ends: null }, i))
  }
  return blocks
}

test('every position finds its block, others none', () => {
  const blocks = filled(100, 3)
  for (let at = 0; at < 300; at++) expect(blocks.find(at)?.start).toBe(Math.floor(at / 3) * 3)
  expect(blocks.find(300)).toBeNull()
  expect(new ResidentBlocks().find(0)).toBeNull()
})

test('applied blocks go from the front, and their bytes are told', () => {
  const blocks = filled(1000, 2)
  expect(blocks.dropApplied(-1)).toBe(0)
  expect(blocks.dropApplied(599)).toBe(1200)
  expect(blocks.dropApplied(599)).toBe(0)
  expect(blocks.start).toBe(1200)
  expect(blocks.find(1199)).toBeNull()
  expect(blocks.find(1200)?.start).toBe(1200)
  expect(blocks.dropApplied(5000)).toBe(800)
  expect(blocks.empty).toBe(true)
})

test('lost blocks go from the back', () => {
  const blocks = filled(10, 2)
  blocks.truncate(14)
  expect(blocks.find(13)?.start).toBe(12)
  expect(blocks.find(14)).toBeNull()
  blocks.truncate(0)
  expect(blocks.empty).toBe(true)
})

test('joined blocks keep every byte and every border', () => {
  const blocks = new ResidentBlocks()
  const count = 20_000
  for (let i = 0; i < count; i++) {
    blocks.push(ResidentBlock.joined({ start: i * 5, end: (i + 1) * 5, bytes: new Uint8Array(5).fill(i & 0xff), ends: null }, 0))
    blocks.join((i + 1) * 5)
  }
  let seen = 0
  for (let at = 0; at < count * 5; seen++) {
    const block = blocks.find(at)
    if (block === null) throw new Error(`nothing at ${at}`)
    for (let byte = at; byte < block.end; byte++) if (block.bytes[byte - block.start] !== (Math.floor(byte / 5) & 0xff)) throw new Error(`byte ${byte}`)
    for (let byte = at; byte < block.end; byte++) if (isBoundary(block, byte) !== (byte % 5 === 0)) throw new Error(`border ${byte}`)
    at = block.end
  }
  expect(seen).toBeLessThan(2000)
})
