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

test('the last applied block is not held for readers either', () => {
  const blocks = filled(3, 2)
  expect(blocks.dropApplied(2)).toBe(6)
  expect(blocks.start).toBeNull()
  expect(blocks.find(5)).toBeNull()
  blocks.push(ResidentBlock.joined({ start: 6, end: 8, bytes: new Uint8Array(2), ends: null }, 3))
  expect(blocks.find(7)?.start).toBe(6)
  expect(blocks.find(5)).toBeNull()
})

test('an applied block lets the memory of its group go at once, also while others of the stream stay', () => {
  const blocks = new ResidentBlocks()
  const groups: WeakRef<Uint8Array>[] = []
  const push = (i: number) => {
    const group = new Uint8Array(64 * 1024)
    const block = new ResidentBlock(i, i + 1, 0, i)
    block.attach(group)
    blocks.push(block)
    groups.push(new WeakRef(group))
  }
  for (let i = 0; i < 200; i++) push(i)
  expect(blocks.dropApplied(189)).toBe(190)
  Bun.gc(true)
  expect(blocks.find(190)?.start).toBe(190)
  expect(groups.filter(group => group.deref() !== undefined).length).toBeLessThan(50)
})

test('lost blocks go from the back', () => {
  const blocks = filled(10, 2)
  blocks.truncate(14)
  expect(blocks.find(13)?.start).toBe(12)
  expect(blocks.find(14)).toBeNull()
  blocks.truncate(0)
  expect(blocks.empty).toBe(true)
})

test('applied blocks are not found again when the only one behind them is lost', () => {
  const blocks = filled(4, 2)
  expect(blocks.dropApplied(2)).toBe(6)
  blocks.truncate(6)
  expect(blocks.empty).toBe(true)
  expect(blocks.start).toBeNull()
  for (let at = 0; at < 8; at++) expect(blocks.find(at)).toBeNull()
  blocks.push(ResidentBlock.joined({ start: 6, end: 8, bytes: new Uint8Array(2), ends: null }, 4))
  expect(blocks.find(5)).toBeNull()
  expect(blocks.find(6)?.start).toBe(6)
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
