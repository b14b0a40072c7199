/** Stream access: principals × actions × paths, conditions on claims, forks, and what cannot be meant. */
import { describe, expect, test } from 'bun:test'
import { Refusal } from '../../src/lib/errors.ts'
import { anonymous, localAdmin, type Principal } from '../../src/lib/principal.ts'
import { compileAccess, streamActions, type StreamAction, type StreamApiConfig } from '../../src/streams/access.ts'
import { bestMs } from '../support/best-of.ts'

function user(subject: string, claims: Record<string, unknown> = {}): Principal {
  return { kind: 'user', subject, issuer: 'https://id.test', claims: { sub: subject, ...claims }, expiresAtMs: null }
}

function entry(pattern: string, changes: Partial<StreamApiConfig> = {}): StreamApiConfig {
  return { name: 'entry', pattern, aclWorld: [], aclAuthenticated: [], claims: [], ...changes }
}

const everyAction = [...streamActions]
const principals: Readonly<Record<string, Principal>> = {
  anonymous,
  ann: user('ann'),
  bob: user('bob', { role: 'editor' }),
  admin: localAdmin,
}

const entries: readonly StreamApiConfig[] = [
  entry('public/**', { name: 'public', aclWorld: ['read'], aclAuthenticated: ['append'] }),
  entry('rooms/{user}/drafts', {
    name: 'drafts',
    aclAuthenticated: everyAction,
    claims: [{ claim: 'sub', equalsSegment: 'user' }],
  }),
  entry('rooms/{user}/*', {
    name: 'rooms',
    aclWorld: ['read'],
    aclAuthenticated: ['create', 'read', 'append', 'subscribe'],
    claims: [{ claim: 'sub', equalsSegment: 'user', actions: ['create', 'append'] }],
  }),
  entry('staff/**', { name: 'staff', aclAuthenticated: ['read', 'delete'], claims: [{ claim: 'role', oneOf: ['editor', 'owner'] }] }),
  entry('locked', { name: 'locked' }),
]

/** Path → principal → what it may do. Everything else is refused. */
const matrix: Readonly<Record<string, Readonly<Record<string, readonly StreamAction[]>>>> = {
  'public': { anonymous: ['read'], ann: ['read', 'append'], bob: ['read', 'append'] },
  'public/a/b/c': { anonymous: ['read'], ann: ['read', 'append'], bob: ['read', 'append'] },
  'rooms/ann/drafts': { anonymous: [], ann: everyAction, bob: [] },
  'rooms/bob/drafts': { anonymous: [], ann: [], bob: everyAction },
  'rooms/ann/chat': { anonymous: ['read'], ann: ['create', 'read', 'append', 'subscribe'], bob: ['read', 'subscribe'] },
  'rooms/bob/chat': { anonymous: ['read'], ann: ['read', 'subscribe'], bob: ['create', 'read', 'append', 'subscribe'] },
  'staff/plans': { anonymous: [], ann: [], bob: ['read', 'delete'] },
  'locked': {},
  // Nothing speaks for these.
  'rooms': {},
  'rooms/ann': {},
  'rooms/ann/chat/deeper': {},
  'Public/a': {},
  'publicx/a': {},
  'locked/a': {},
  'other': {},
  '': {},
}

describe('the matrix', () => {
  const access = compileAccess(entries)
  for (const [path, allowed] of Object.entries(matrix)) {
    for (const [name, principal] of Object.entries(principals)) {
      test(`${name} at "${path}"`, () => {
        const expected = name === 'admin' ? everyAction : (allowed[name] ?? [])
        // Twice: the second answer comes from memory.
        for (let round = 0; round < 2; round++) {
          expect(everyAction.filter(action => access.allows(principal, action, path))).toEqual([...expected])
          expect(everyAction.filter(action => refusal(() => access.check(principal, action, path)) === null)).toEqual([...expected])
        }
      })
    }
  }

  test('who is not signed in is asked to, who is signed in is refused', () => {
    expect(refusal(() => access.check(anonymous, 'append', 'public/a'))).toMatchObject({ code: 'unauthorized', status: 401 })
    expect(refusal(() => access.check(anonymous, 'read', 'other'))).toMatchObject({ code: 'unauthorized' })
    expect(refusal(() => access.check(user('ann'), 'delete', 'public/a'))).toMatchObject({ code: 'forbidden', status: 403 })
    expect(refusal(() => access.check(user('ann'), 'read', 'other'))).toMatchObject({ code: 'forbidden' })
  })
})

describe('names that try to be others', () => {
  const access = compileAccess([...entries, entry('secret/**', { aclAuthenticated: [] })])
  const ann = user('ann')
  // As they arrive: decoded once, so what is still encoded is text.
  const foreign = [
    'public/../rooms/bob/drafts', 'public/../../etc/passwd', 'public/..', 'public/.', './public/a', '../public/a', 'public//a', '/public/a', 'public/', '/',
    'rooms/ann/../bob/drafts', 'rooms/./drafts', 'rooms//drafts', 'rooms/../drafts', 'public/a/..', 'public/a/.', '..', '.',
  ]
  for (const path of foreign) {
    test(`"${path}" belongs to no entry`, () => {
      for (const action of everyAction) expect(access.allows(ann, action, path)).toBe(false)
      for (const action of everyAction) expect(access.allows(anonymous, action, path)).toBe(false)
    })
  }

  const owners = ['ann%2F', 'ann%2f..', '%61nn', 'ANN', 'ann ', ' ann', 'ann\0', 'ann.', 'a\u0308nn', '{user}', '*', '**', 'ann\u200b', 'ann\n', '__proto__', 'constructor', 'undefined']
  for (const owner of owners) {
    test(`the segment ${JSON.stringify(owner)} is not "ann"`, () => {
      expect(access.allows(ann, 'append', `rooms/${owner}/drafts`)).toBe(false)
      expect(access.allows(user(owner), 'append', `rooms/${owner}/drafts`)).toBe(true)
      expect(access.allows(user(owner), 'append', 'rooms/ann/drafts')).toBe(false)
    })
  }

  test('two spellings of one letter are two names', () => {
    expect(access.allows(user('\u00e4'), 'append', 'rooms/a\u0308/drafts')).toBe(false)
  })

  test('text with wildcard characters in a path is only text', () => {
    expect(access.allows(ann, 'read', '*/a')).toBe(false)
    expect(access.allows(ann, 'read', '**')).toBe(false)
    expect(access.allows(ann, 'read', 'public/**')).toBe(true)
  })
})

describe('conditions on claims', () => {
  const may = (claim: StreamApiConfig['claims'][number], claims: Record<string, unknown>, path = 'team/red') =>
    compileAccess([entry('team/{team}', { aclWorld: ['read'], aclAuthenticated: ['read'], claims: [claim] })]).allows(user('ann', claims), 'read', path)

  test('a claim is a text, a number, a truth value, or a list with one of them', () => {
    expect(may({ claim: 'a', equals: 'x' }, { a: 'x' })).toBe(true)
    expect(may({ claim: 'a', equals: 'x' }, { a: ['w', 'x'] })).toBe(true)
    expect(may({ claim: 'a', equals: '7' }, { a: 7 })).toBe(true)
    expect(may({ claim: 'a', equals: 'true' }, { a: true })).toBe(true)
    expect(may({ claim: 'a', equals: '' }, { a: '' })).toBe(true)
    for (const a of [undefined, null, '', 'X', 'xx', 'x ', ['w'], [], [['x']], { x: true }, [{ a: 'x' }], 0, NaN]) {
      expect(may({ claim: 'a', equals: 'x' }, { a })).toBe(false)
    }
    for (const a of [null, undefined, [], {}]) {
      for (const equals of ['null', 'undefined', '', '[object Object]', '[]', '{}']) expect(may({ claim: 'a', equals }, { a })).toBe(false)
    }
  })

  test('dots lead into nested claims, unless a claim has the whole name', () => {
    expect(may({ claim: 'realm.roles', equals: 'x' }, { realm: { roles: ['x'] } })).toBe(true)
    expect(may({ claim: 'https://app.test/roles', equals: 'x' }, { 'https://app.test/roles': ['x'] })).toBe(true)
    expect(may({ claim: 'realm.roles', equals: 'x' }, { 'realm.roles': 'y', realm: { roles: 'x' } })).toBe(false)
    for (const claim of ['realm', 'realm.', 'realm.roles.0', '.realm', 'realm..roles', 'realm.length']) {
      expect(may({ claim, equals: 'x' }, { realm: { roles: ['x'] } })).toBe(false)
    }
  })

  test('what every object has is no claim', () => {
    for (const claim of ['constructor', 'constructor.name', '__proto__', 'toString.name', 'roles.length', 'roles.constructor.name', 'name.length']) {
      for (const equals of ['Object', 'toString', 'Array', '1', 'Function', '3']) expect(may({ claim, equals }, { roles: ['x'], name: 'ann' })).toBe(false)
    }
  })

  test('scopes are words', () => {
    expect(may({ claim: 'scope', equals: 'read' }, { scope: 'write read' })).toBe(true)
    expect(may({ claim: 'scp', oneOf: ['a', 'b'] }, { scp: 'c b' })).toBe(true)
    expect(may({ claim: 'scope', equals: 'read' }, { scope: 'reader' })).toBe(false)
    expect(may({ claim: 'other', equals: 'read' }, { other: 'write read' })).toBe(false)
  })

  test('a captured segment must be the claim, or in it', () => {
    expect(may({ claim: 'team', equalsSegment: 'team' }, { team: 'red' })).toBe(true)
    expect(may({ claim: 'teams', equalsSegment: 'team' }, { teams: ['blue', 'red'] })).toBe(true)
    expect(may({ claim: 'teams', equalsSegment: 'team' }, { teams: ['blue', 'red'] }, 'team/green')).toBe(false)
    expect(may({ claim: 'missing', equalsSegment: 'team' }, {}, 'team/undefined')).toBe(false)
    expect(may({ claim: 'teams', equalsSegment: 'team' }, { teams: '*' })).toBe(false)
  })

  test('all that name the action must hold, and bind the world as well', () => {
    const access = compileAccess([
      entry('**', {
        aclWorld: ['read'],
        aclAuthenticated: ['append'],
        claims: [{ claim: 'a', equals: '1', actions: ['append'] }, { claim: 'b', equals: '2', actions: ['APPEND', 'delete'] }, { claim: 'c', equals: '3', actions: [] }],
      }),
    ])
    expect(access.allows(user('x', { a: '1', b: '2', c: '3' }), 'append', 's')).toBe(true)
    expect(access.allows(user('x', { a: '1', c: '3' }), 'append', 's')).toBe(false)
    expect(access.allows(user('x', { c: '3' }), 'read', 's')).toBe(true)
    expect(access.allows(user('x'), 'read', 's')).toBe(false)
    expect(access.allows(anonymous, 'read', 's')).toBe(false)
  })
})

describe('forks', () => {
  const access = compileAccess([
    entry('mine/**', { aclAuthenticated: ['create', 'read'] }),
    entry('source', { aclAuthenticated: ['read'] }),
    entry('closed', { aclAuthenticated: ['create'] }),
  ])
  const ann = user('ann')

  test('creating one needs to create here and to read there', () => {
    expect(refusal(() => access.checkFork(ann, 'mine/fork', 'source'))).toBeNull()
    expect(refusal(() => access.checkFork(ann, 'mine/fork', 'closed'))).toMatchObject({ code: 'forbidden' })
    expect(refusal(() => access.checkFork(ann, 'mine/fork', 'mine/../closed'))).toMatchObject({ code: 'forbidden' })
    expect(refusal(() => access.checkFork(ann, 'source', 'mine/a'))).toMatchObject({ code: 'forbidden' })
    expect(refusal(() => access.checkFork(anonymous, 'mine/fork', 'source'))).toMatchObject({ code: 'unauthorized' })
    expect(refusal(() => access.checkFork(localAdmin, 'x', 'y'))).toBeNull()
  })

  test('reading one needs nothing of the source', () => {
    expect(access.allows(ann, 'read', 'mine/fork-of-closed')).toBe(true)
  })
})

describe('without entries', () => {
  const access = compileAccess([])
  test('everybody may do everything', () => {
    expect(access.isOpen).toBe(true)
    expect(compileAccess(entries).isOpen).toBe(false)
    for (const principal of Object.values(principals)) {
      for (const action of everyAction) expect(access.allows(principal, action, 'any/stream')).toBe(true)
      access.checkFork(principal, 'a', 'b')
      access.checkPattern(principal, 'subscribe', '**')
    }
  })

  test('a check costs nothing, and little with entries', () => {
    const paths = Array.from({ length: 1_000 }, (_, i) => `rooms/bob/chat-${i}`)
    const bob = principals['bob'] ?? anonymous
    const cost = (subject: typeof access) => {
      return bestMs(50, () => {
        for (const path of paths) subject.check(bob, 'append', path)
      })
    }
    const governed = compileAccess(entries)
    const costs = { open: cost(access), governed: cost(governed) }
    console.log(`access checks, µs each: ${JSON.stringify(costs)}`)
    expect(costs.open).toBeLessThan(1)
    expect(costs.governed).toBeLessThan(5)
  })
})

describe('an entry that cannot be meant', () => {
  const claims = (claim: StreamApiConfig['claims'][number]) => entry('a/{user}', { claims: [claim] })
  const mistakes: Readonly<Record<string, StreamApiConfig>> = {
    'no pattern': entry(''),
    'an empty segment': entry('a//b'),
    'a mixed segment': entry('a/b*'),
    'a capture twice': entry('{a}/{a}'),
    'an unknown action': entry('a', { aclWorld: ['reed'] }),
    'an unknown action of a signed-in caller': entry('a', { aclAuthenticated: ['update'] }),
    'a condition without comparison': claims({ claim: 'sub' }),
    'a condition with two': claims({ claim: 'sub', equals: 'a', oneOf: ['b'] }),
    'a condition on nothing': claims({ claim: '', equals: 'a' }),
    'a condition that nothing meets': claims({ claim: 'sub', oneOf: [] }),
    'a segment that is not captured': claims({ claim: 'sub', equalsSegment: 'owner' }),
    'a condition for an unknown action': claims({ claim: 'sub', equals: 'a', actions: ['reed'] }),
  }
  for (const [name, config] of Object.entries(mistakes)) {
    test(name, () => {
      expect(() => compileAccess([config])).toThrow(expect.objectContaining({ name: 'OperatorError', exitCode: 78 }))
    })
  }
})

function refusal(act: () => void): Refusal | null {
  try {
    act()
    return null
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}
