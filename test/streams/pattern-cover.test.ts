/** Patterns against patterns, checked against all short paths; and access to whole patterns. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compilePattern } from '../../src/lib/pattern.ts'
import { anonymous, localAdmin, type Principal } from '../../src/lib/principal.ts'
import { compileAccess, type StreamApiConfig } from '../../src/streams/access.ts'
import { comparedSegmentsMax, covers, overlaps } from '../../src/streams/pattern-cover.ts'
import { bestMs } from '../support/best-of.ts'

const segment = fc.constantFrom('a', 'b', '*', '**', '{x}')
const pattern = fc.array(segment, { minLength: 1, maxLength: 4 }).map(segments => segments.map((one, at) => (one === '{x}' ? `{x${at}}` : one)).join('/'))
/** All paths of one to five segments of two letters. */
const paths = [1, 2, 3, 4, 5].flatMap(length => allPaths(length))

describe('compared patterns', () => {
  test('overlap exactly when a path matches both', () => {
    fc.assert(
      fc.property(pattern, pattern, (a, b) => {
        const common = paths.some(path => matches(a, path) && matches(b, path))
        if (common) expect(overlaps(a, b)).toBe(true)
        // Patterns of four segments that overlap do so on a path of at most eight; five suffice unless both are long.
        else if (segmentsOf(a) + segmentsOf(b) <= 5) expect(overlaps(a, b)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  test('cover only what they match', () => {
    let covered = 0
    fc.assert(
      fc.property(pattern, pattern, (outer, inner) => {
        if (!covers(outer, inner)) return
        covered++
        for (const path of paths) if (matches(inner, path)) expect(matches(outer, path)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
    expect(covered).toBeGreaterThan(50)
  })

  test('cover what plainly lies within', () => {
    for (const [outer, inner] of [['**', 'a/**/b'], ['a/**', 'a/**'], ['a/**', 'a'], ['a/*', 'a/*'], ['a/{x}', 'a/*'], ['**/b', 'a/**/b'], ['{x}/**', 'a/**/*'], ['a/b', 'a/b']] as const) {
      expect(covers(outer, inner)).toBe(true)
    }
    for (const [outer, inner] of [['a/*', 'a/**'], ['*', '**'], ['a', '*'], ['a/**', '**'], ['a/**', '*/a'], ['a', 'a/**']] as const) {
      expect(covers(outer, inner)).toBe(false)
    }
  })

  test('cost little, however they are made', () => {
    const hostile = Array.from({ length: comparedSegmentsMax }, (_, at) => (at % 2 ? 'a' : '**')).join('/')
    const tookMs = bestMs(5, () => {
      overlaps(hostile, `${hostile.slice(0, -1)}b`)
      covers(hostile, `${hostile.slice(0, -1)}b`)
    })
    expect(tookMs).toBeLessThan(200)
    expect(overlaps('**/'.repeat(5_000), 'a')).toBe(true)
    expect(covers('**', '**/'.repeat(5_000))).toBe(false)
  })
})

describe('access to a pattern', () => {
  const ann: Principal = { kind: 'user', subject: 'ann', issuer: 'i', claims: { sub: 'ann' }, expiresAtMs: null }
  const entry = (source: string, changes: Partial<StreamApiConfig> = {}): StreamApiConfig => ({ name: 'e', pattern: source, aclWorld: [], aclAuthenticated: ['subscribe'], claims: [], ...changes })
  const owner = { claims: [{ claim: 'sub', equalsSegment: 'user' }] }
  const access = compileAccess([entry('users/{user}/**', owner), entry('public/secret', { aclAuthenticated: [] }), entry('public/**', { aclWorld: ['subscribe'] })])
  const may = (principal: Principal, source: string, subject = access) => {
    try {
      subject.checkPattern(principal, 'subscribe', source)
      return true
    } catch {
      return false
    }
  }

  test('is given where every stream of it would be', () => {
    expect(may(ann, 'users/ann/**')).toBe(true)
    expect(may(ann, 'users/ann/notes/*')).toBe(true)
    expect(may(ann, 'public/news/*')).toBe(true)
    expect(may(anonymous, 'public/news/**')).toBe(true)
    expect(may(localAdmin, '**')).toBe(true)
  })

  test('is refused where some stream of it would be refused', () => {
    for (const source of ['users/bob/**', 'users/*/notes', 'users/**', '**', '*', '**/notes', 'public/**', 'public/*', 'other/*', 'users/{user}/x', 'us*/ann', 'users/a*/x', '']) {
      expect(may(ann, source)).toBe(false)
    }
    expect(may(anonymous, 'users/ann/**')).toBe(false)
  })

  test('never reaches a stream that is refused by itself', () => {
    const config = fc.record({ source: pattern, open: fc.boolean(), owned: fc.boolean() })
    let given = 0
    fc.assert(
      fc.property(fc.array(config, { minLength: 1, maxLength: 4 }), pattern, (configs, wanted) => {
        const subject = compileAccess(
          configs.map(({ source, open, owned }) => {
            const capture = /\{(x\d)\}/.exec(source)?.[1]
            const claims = owned && capture !== undefined ? [{ claim: 'sub', equalsSegment: capture }] : []
            return entry(source, { aclAuthenticated: open ? ['subscribe'] : [], claims })
          }),
        )
        const a: Principal = { ...ann, claims: { sub: 'a' } }
        if (!may(a, wanted, subject)) return
        given++
        for (const path of paths) if (matches(wanted, path)) expect(subject.allows(a, 'subscribe', path)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
    expect(given).toBeGreaterThan(50)
  })
})

function matches(source: string, path: string): boolean {
  const compiled = compilePattern(source)
  if (typeof compiled === 'string') throw new Error(compiled)
  return compiled.match(path) !== null
}

function segmentsOf(source: string): number {
  return source.split('/').length
}

function allPaths(length: number): string[] {
  return length === 0 ? [''] : allPaths(length - 1).flatMap(path => ['a', 'b'].map(letter => (path === '' ? letter : `${path}/${letter}`)))
}
