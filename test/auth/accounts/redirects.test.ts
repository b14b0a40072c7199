/** Where a browser may be sent on to. */
import { expect, test } from 'bun:test'
import { checkRedirect, withParameters, type RedirectPolicy } from '../../../src/auth/accounts/redirects.ts'

const policy: RedirectPolicy = {
  siteUrl: 'https://app.example.com:8443',
  customUriSchemes: ['com.example.app'],
  redirectUriAllowlist: ['https://other.example.com/done?x=1'],
  isDev: false,
}

function taken(uris: readonly string[], more: Partial<RedirectPolicy> = {}): readonly string[] {
  return uris.filter(uri => {
    try {
      return checkRedirect(uri, { ...policy, ...more }) === uri
    } catch {
      return false
    }
  })
}

test('what is taken', () => {
  const good = [
    '/', '/profile', '/a?b=c#d', '/a//b', '/%2F%2Fevil', 'https://app.example.com/x', 'https://app.example.com:8443/', 'https://APP.example.com/',
    'https://other.example.com/done?x=1', 'com.example.app://login', 'com.example.app:/x',
  ]
  expect(taken(good)).toEqual(good)
})

test('what is not', () => {
  const bad = [
    '', '//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example', '/\t/evil.example', '/\n/evil.example', ' /x', '\u0000/',
    'https:evil.example', 'https:/evil.example', 'https://evil.example', 'http://app.example.com/', 'https://app.example.com.evil.example/',
    'https://app.example.com@evil.example/', 'https://user@app.example.com/', 'https://evil.example#https://app.example.com',
    'https://other.example.com/done', 'https://other.example.com/done?x=1&y', 'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x',
    'com.example.appx://x', 'ftp://app.example.com/', 'profile', '?x', `/${'x'.repeat(5000)}`, 'http://localhost/', 'http://127.0.0.1:3000/',
  ]
  expect(taken(bad)).toEqual([])
  expect(taken(['javascript:alert(1)'], { customUriSchemes: ['javascript'] })).toEqual([])
  expect(taken(['https://evil.example/'], { customUriSchemes: ['https'] })).toEqual([])
  expect(taken(['https://app.example.com/'], { siteUrl: null })).toEqual([])
})

test('this machine, while developing', () => {
  const local = ['http://localhost:3000/x', 'http://127.0.0.1:5173', 'http://[::1]/', 'https://app.localhost/']
  expect(taken(local, { isDev: true })).toEqual(local)
  expect(taken(['http://127.0.0.1.evil.example/', 'http://localhost.evil.example/', 'http://evil.example/localhost'], { isDev: true })).toEqual([])
})

test('parameters join a query and stand before a fragment', () => {
  expect(withParameters('/a', { code: 'x y' })).toBe('/a?code=x+y')
  expect(withParameters('/a?b=1#c', { alert: 'a&b' })).toBe('/a?b=1&alert=a%26b#c')
  expect(withParameters('com.example.app://x?', { code: '1' })).toBe('com.example.app://x?code=1')
})
