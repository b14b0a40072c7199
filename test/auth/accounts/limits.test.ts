/** How often an account may be tried and an address may ask, turned by hand. */
import { expect, test } from 'bun:test'
import { AddressLimit } from '../../../src/auth/accounts/address-limit.ts'
import { AttemptLimit } from '../../../src/auth/accounts/attempt-limit.ts'
import { Refusal } from '../../../src/lib/errors.ts'
import { ManualClock } from '../../support/manual-clock.ts'

/** Seconds after which to come back; 0 = taken. */
function retryAfter(run: () => void): number {
  try {
    run()
    return 0
  } catch (error) {
    if (error instanceof Refusal && error.code === 'too_many_requests') return (error.details as { retryAfterSecs: number }).retryAfterSecs
    throw error
  }
}

test('three failures, then nothing until the window is over', () => {
  const clock = new ManualClock()
  const limit = new AttemptLimit({ failuresMax: 3, windowMs: 60_000 }, clock)
  const tries = () => retryAfter(() => limit.begin('a'))
  expect(tries()).toBe(0)
  clock.advance(10_000)
  expect([tries(), tries(), tries()]).toEqual([0, 0, 50])
  expect(retryAfter(() => limit.begin('b'))).toBe(0)
  clock.advance(49_999)
  expect(tries()).toBe(1)
  clock.advance(1)
  expect(tries()).toBe(0)
})

test('successes do not count, and do not take failures back', () => {
  const limit = new AttemptLimit({ failuresMax: 3, windowMs: 60_000 }, new ManualClock())
  for (let at = 0; at < 50; at++) {
    limit.begin('a')
    limit.succeeded('a')
  }
  limit.begin('a')
  limit.begin('a')
  limit.begin('a')
  limit.succeeded('a')
  expect([retryAfter(() => limit.begin('a')), retryAfter(() => limit.begin('a'))]).toEqual([0, 60])
})

test('an address has its burst, then one a second', () => {
  const clock = new ManualClock()
  const limit = new AddressLimit(3, clock)
  const asks = (address: string) => retryAfter(() => limit.take(address))
  expect([1, 2, 3, 4].map(() => asks('192.0.2.1'))).toEqual([0, 0, 0, 1])
  clock.advance(1000)
  expect([asks('192.0.2.1'), asks('192.0.2.1')]).toEqual([0, 1])
  expect(asks('::ffff:192.0.2.1')).toBe(1)
  expect(asks('192.0.2.2')).toBe(0)
  clock.advance(60_000)
  expect([1, 2, 3, 4].map(() => asks('192.0.2.1'))).toEqual([0, 0, 0, 1])
})

test('a /64 is one address', () => {
  const limit = new AddressLimit(1, new ManualClock())
  const asks = (address: string) => retryAfter(() => limit.take(address))
  expect(asks('2001:db8:0:1::1')).toBe(0)
  expect(['2001:db8:0:1::2', '2001:db8::1:aaaa:bbbb:cccc:dddd', '2001:0db8:0000:0001:0:0:0:9'].map(asks)).toEqual([1, 1, 1])
  expect(asks('2001:db8:0:2::1')).toBe(0)
  expect([asks('::1'), asks('::2')]).toEqual([0, 1])
})
