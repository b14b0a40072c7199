/** Turns of work: nothing to wait for while one lasts, then others go first. That feeds ask for them is seen with many subscribers (many.test.ts). */
import { expect, test } from 'bun:test'
import { sliceMsMax } from '../../../src/records/subscriptions/limits.ts'
import { Turn } from '../../../src/records/subscriptions/turn.ts'
import { ManualClock } from '../../support/manual-clock.ts'

test('a turn ends with its time, and the next one begins behind the others', async () => {
  const clock = new ManualClock()
  const turn = new Turn(clock)
  expect(turn.next()).toBeUndefined()
  clock.advance(sliceMsMax)
  const order: string[] = []
  const next = turn.next()
  setImmediate(() => order.push('others'))
  await Bun.sleep(0)
  await next
  order.push('next')
  expect(order).toEqual(['others', 'next'])
  expect(turn.next()).toBeUndefined()
})
