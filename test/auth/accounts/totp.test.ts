/** One-time passwords against the vectors of RFC 6238, appendix B (of which six digits are shown). */
import { expect, test } from 'bun:test'
import { currentCode, matchingStep } from '../../../src/auth/accounts/totp.ts'

const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' // "12345678901234567890"

test('the vectors of the RFC', () => {
  const vectors: readonly (readonly [seconds: number, code: string])[] = [
    [59, '287082'], [1_111_111_109, '081804'], [1_111_111_111, '050471'], [1_234_567_890, '005924'], [2_000_000_000, '279037'], [20_000_000_000, '353130'],
  ]
  expect(vectors.map(([seconds]) => currentCode(secret, seconds * 1000))).toEqual(vectors.map(([, code]) => code))
})

test('one step either way counts, and no more', () => {
  const nowMs = 1_234_567_890_000
  const at = (steps: number) => matchingStep(secret, currentCode(secret, nowMs + steps * 30_000) ?? '', nowMs)
  const now = Math.floor(nowMs / 30_000)
  expect([-2, -1, 0, 1, 2].map(at)).toEqual([null, now - 1, now, now + 1, null])
})

test('secrets as authenticators show them; nothing else', () => {
  const nowMs = 59_000
  expect(matchingStep('gezd gnbv gy3t qojq gezd gnbv gy3t qojq', '287082', nowMs)).toBe(1)
  expect(matchingStep(`${secret}====`, '287082', nowMs)).toBe(1)
  expect([matchingStep('', '287082', nowMs), matchingStep('no base32!', '287082', nowMs)]).toEqual([null, null])
  expect(['28708', '2870822', ' 287082', '28708a', ''].map(code => matchingStep(secret, code, nowMs))).toEqual([null, null, null, null, null])
})
