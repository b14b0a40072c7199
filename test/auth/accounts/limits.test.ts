/** How often an account may be tried and an address may ask, turned by hand. */
import { expect, test } from 'bun:test'
import { AccountTurns, attemptsWaitingMax } from '../../../src/auth/accounts/account-turns.ts'
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
    limit.takeBack('a')
  }
  limit.begin('a')
  limit.begin('a')
  limit.begin('a')
  limit.takeBack('a')
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

test('attempts of one account take turns, those of others do not wait, and a line has an end', async () => {
  const turns = new AccountTurns()
  const log: string[] = []
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const attempt = (account: string, name: string, gate?: Promise<void>) =>
    turns.run(account, async () => {
      log.push(`${name} begins`)
      await gate
      log.push(`${name} ends`)
      if (name === 'fails') throw new Error(name)
      return name
    })
  const first = attempt('a', 'fails', gates[0]?.promise).catch((error: Error) => error.message)
  const second = attempt('a', 'second')
  expect(await attempt('b', 'other')).toBe('other')
  expect(log).toEqual(['fails begins', 'other begins', 'other ends'])
  gates[0]?.resolve()
  expect([await first, await second]).toEqual(['fails', 'second'])
  expect(log.slice(3)).toEqual(['fails ends', 'second begins', 'second ends'])

  const crowd = Array.from({ length: attemptsWaitingMax + 1 }, (_, at) => attempt('a', String(at), at === 0 ? gates[1]?.promise : undefined))
  expect(await attempt('a', 'late').catch((error: Refusal) => error.code)).toBe('overloaded')
  gates[1]?.resolve()
  expect((await Promise.all(crowd)).length).toBe(attemptsWaitingMax + 1)
  expect(await attempt('a', 'later')).toBe('later')
})
