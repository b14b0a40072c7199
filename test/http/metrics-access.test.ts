/** Who may read /metrics, by every setting and kind of caller. */
import { describe, expect, test } from 'bun:test'
import { checkMetricsAccess, type MetricsAccess } from '../../src/http/metrics-access.ts'
import { Refusal } from '../../src/lib/errors.ts'

const token = 'a-token-of-enough-length'
const closed: MetricsAccess = { isPublic: false, token: null }
const secured: MetricsAccess = { isPublic: false, token }
const open: MetricsAccess = { isPublic: true, token }

describe('reading /metrics', () => {
  const cases: readonly (readonly [string, MetricsAccess, string | null, string | null, string | null])[] = [
    ['everybody when public', open, null, '192.0.2.1', null],
    ['a caller on this machine without a token', closed, null, '127.0.0.1', null],
    ['a caller on this machine over IPv6', closed, null, '::1', null],
    ['a mapped loopback address', closed, null, '::ffff:127.0.0.1', null],
    ['the control socket', closed, null, null, null],
    ['nobody else', closed, null, '192.0.2.1', 'forbidden'],
    ['an address that only looks like loopback', closed, null, '1.127.0.0', 'forbidden'],
    ['the token from anywhere', secured, `Bearer ${token}`, '192.0.2.1', null],
    ['the scheme in any case', secured, `bEARER ${token}`, '192.0.2.1', null],
    ['not a wrong token', secured, 'Bearer other-token-of-length', '192.0.2.1', 'unauthorized'],
    ['not a part of the token', secured, `Bearer ${token.slice(0, -1)}`, '127.0.0.1', 'unauthorized'],
    ['not this machine when there is a token', secured, null, '127.0.0.1', 'unauthorized'],
  ]
  for (const [name, access, authorization, peer, refusal] of cases) {
    test(name, () => {
      const request = new Request('http://localhost/metrics', authorization === null ? {} : { headers: { Authorization: authorization } })
      expect(refusalOf(() => checkMetricsAccess(access, request, peer))).toBe(refusal)
    })
  }
})

function refusalOf(run: () => void): string | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}
