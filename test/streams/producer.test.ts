/** The verdicts on producer claims, around every border. */
import { expect, test } from 'bun:test'
import { Refusal } from '../../src/lib/errors.ts'
import { decideProducer, type ProducerProgress } from '../../src/streams/producer.ts'

const largest = Number.MAX_SAFE_INTEGER

function verdict(known: ProducerProgress | null, epoch: number, seq: number): string {
  try {
    const decided = decideProducer(known, { id: 'p', epoch, seq })
    return decided.kind === 'accept' ? 'accept' : `duplicate ${decided.epoch}/${decided.seq}`
  } catch (refusal) {
    if (refusal instanceof Refusal) return `${refusal.code} ${JSON.stringify(refusal.details)}`
    throw refusal
  }
}

test.each([
  [null, 0, 0, 'accept'],
  [null, largest, 0, 'accept'],
  [null, 0, 1, 'producer_gap {"expected":0,"received":1}'],
  [{ epoch: 1, seq: 4 }, 1, 5, 'accept'],
  [{ epoch: 1, seq: 4 }, 1, 4, 'duplicate 1/4'],
  [{ epoch: 1, seq: 4 }, 1, 0, 'duplicate 1/4'],
  [{ epoch: 1, seq: 4 }, 1, 6, 'producer_gap {"expected":5,"received":6}'],
  [{ epoch: 1, seq: 4 }, 0, 5, 'producer_fenced {"epoch":1}'],
  [{ epoch: 1, seq: 4 }, 2, 0, 'accept'],
  [{ epoch: 1, seq: 4 }, 3, 0, 'accept'],
  [{ epoch: 1, seq: 4 }, 2, 1, 'producer_epoch_start {}'],
  [{ epoch: 1, seq: largest - 1 }, 1, largest, 'accept'],
  [{ epoch: 1, seq: largest }, 1, largest, `duplicate 1/${largest}`],
] as const)('%j meets epoch %d, sequence %d: %s', (known, epoch, seq, expected) => {
  expect(verdict(known, epoch, seq)).toBe(expected)
})
