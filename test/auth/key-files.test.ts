/** The key pair of a depot as files. */
import { afterAll, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { openKeyFiles, temporaryKeys } from '../../src/auth/key-files.ts'
import { OwnTokens } from '../../src/auth/own-tokens.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import { systemIds } from '../../src/lib/ids.ts'

const root = mkdtempSync(join(tmpdir(), 'headwater-keys-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
const place = () => join(root, `depot-${made++}`, 'secrets', 'keys')

test('makes a pair that nobody else can read, and takes it from then on', () => {
  const directory = place()
  const first = openKeyFiles(directory, systemIds)
  expect(readdirSync(directory).toSorted()).toEqual(['private_key.pem', 'public_key.pem'])
  for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(directory, 'private_key.pem'), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
  expect(readFileSync(join(directory, 'public_key.pem'), 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
  expect(openKeyFiles(directory, systemIds).jwk).toEqual(first.jwk)
  expect(openKeyFiles(place(), systemIds).jwk.x).not.toBe(first.jwk.x)
})

test('the public key is published under its thumbprint', async () => {
  const { jwk } = openKeyFiles(place(), systemIds)
  expect(jwk).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' })
  expect(jwk.kid).toBe(await calculateJwkThumbprint(jwk))
  expect(Object.keys(jwk)).not.toContain('d')
})

test('a pair that TrailBase or an operator made is taken; a missing public key is made from the private one', () => {
  const directory = place()
  openKeyFiles(directory, systemIds)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(join(directory, 'private_key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(join(directory, 'public_key.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  expect(openKeyFiles(directory, systemIds).jwk.x).toBe(publicKey.export({ format: 'jwk' }).x ?? '')
  rmSync(join(directory, 'public_key.pem'))
  expect(openKeyFiles(directory, systemIds).jwk.x).toBe(publicKey.export({ format: 'jwk' }).x ?? '')
  expect(existsSync(join(directory, 'public_key.pem'))).toBe(true)
})

test('refuses what is no pair, without telling what the file holds', () => {
  const refusal = (change: (directory: string) => void): OperatorError => {
    const directory = place()
    openKeyFiles(directory, systemIds)
    change(directory)
    try {
      openKeyFiles(directory, systemIds)
    } catch (error) {
      if (error instanceof OperatorError) return error
    }
    throw new Error('expected an operator’s error')
  }
  const stranger = generateKeyPairSync('ed25519')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  const found = [
    refusal(directory => rmSync(join(directory, 'private_key.pem'))),
    refusal(directory => writeFileSync(join(directory, 'private_key.pem'), 'hunter2')),
    refusal(directory => writeFileSync(join(directory, 'private_key.pem'), rsa)),
    refusal(directory => writeFileSync(join(directory, 'public_key.pem'), stranger.publicKey.export({ type: 'spki', format: 'pem' }))),
    refusal(directory => writeFileSync(join(directory, 'public_key.pem'), '')),
  ]
  expect(found.map(error => error.exitCode)).toEqual([78, 78, 78, 78, 78])
  expect(found.map(error => error.message).join()).not.toContain('hunter2')
})

test('where no file can be made an operator is told, and a pair in memory works', () => {
  const blocked = join(root, 'file')
  writeFileSync(blocked, '')
  expect(() => openKeyFiles(join(blocked, 'keys'), systemIds)).toThrow(OperatorError)
  const keys = temporaryKeys(systemIds)
  const tokens = new OwnTokens(keys, systemClock)
  const claims = { sub: 'A'.repeat(22) + '==', iat: 0, exp: 9_999_999_999, type: 1, provider: 0, email: null, username: null, csrf_token: 'x' } as const
  expect(tokens.verify(tokens.mint(claims)).subject).toBe(claims.sub)
  expect(temporaryKeys(systemIds).jwk.x).not.toBe(keys.jwk.x)
})
