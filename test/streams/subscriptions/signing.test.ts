/** Signatures, published keys and their rotation. */
import { expect, test } from 'bun:test'
import { createPublicKey, verify } from 'node:crypto'
import { systemIds } from '../../../src/lib/ids.ts'
import { keyOverlapMs } from '../../../src/streams/subscriptions/limits.ts'
import { Keys } from '../../../src/streams/subscriptions/keys.ts'
import { makeKey, publicJwk, Signer } from '../../../src/streams/subscriptions/signing.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'

test('the key pair and thumbprint of RFC 8037 A.1 to A.3', () => {
  const key = makeKey('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 0)
  expect(publicJwk(key)).toEqual({
    kty: 'OKP',
    crv: 'Ed25519',
    kid: 'ds_kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    use: 'sig',
    alg: 'EdDSA',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  })
})

test('the signature covers time and raw body', () => {
  const seed = systemIds.secret()
  const key = makeKey(seed, 0)
  const header = new Signer(key, seed).header('{"a":"ä"}', 1_700_000_000_999)
  const [, signature = ''] = /^t=1700000000,kid=ds_[\w-]+,ed25519=([\w-]+)$/.exec(header) ?? []
  const publicKey = createPublicKey({ key: { ...publicJwk(key) }, format: 'jwk' })
  const check = (text: string) => verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'base64url'))
  expect([check('1700000000.{"a":"ä"}'), check('1700000001.{"a":"ä"}'), check('1700000000.{"a":"a"}')]).toEqual([true, false, false])
})

test('rotation publishes the old key for an hour, without its private part, over restarts', async () => {
  const store = new MemoryStore()
  const clock = new FakeClock()
  const open = async () => {
    const keys = new Keys(store.host(), clock, systemIds)
    await keys.open()
    return keys
  }
  const keys = await open()
  const first = keys.kid
  expect((await open()).kid).toBe(first)
  await clock.advance(1)
  const second = await keys.rotate()
  expect(keys.sign('x')).toContain(`kid=${second}`)
  const again = await open()
  expect(again.kid).toBe(second)
  expect(again.jwks().keys.map(key => key.kid).toSorted()).toEqual([first, second].toSorted())
  expect(again.tokenSecret.equals(keys.tokenSecret)).toBe(true)
  expect(JSON.parse(store.meta.get(`subscription-key/${first}`) ?? '').seed).toBeNull()
  await clock.advance(keyOverlapMs)
  expect(again.jwks().keys.map(key => key.kid)).toEqual([second])
  await again.rotate()
  expect(store.meta.has(`subscription-key/${first}`)).toBe(false)
})
