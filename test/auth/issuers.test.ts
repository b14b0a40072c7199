/** Configured issuers that cannot be meant, and addresses of keys that are not safe. */
import { expect, test } from 'bun:test'
import { isAllowedJwksUrl } from '../../src/auth/jwks-loaders.ts'
import { TokenVerifier, type IssuerConfig } from '../../src/auth/tokens.ts'
import { silentLog } from '../../src/lib/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { issuerConfig } from './verifier-setting.ts'

const jwksUrl = 'https://id.example.test/jwks.json'
const jwksPath = '/etc/headwater/jwks.json'

const mistakes: Readonly<Record<string, readonly IssuerConfig[]>> = {
  'neither URL nor file': [issuerConfig()],
  'both URL and file': [issuerConfig({ jwksUrl, jwksPath })],
  'an unknown algorithm': [issuerConfig({ jwksUrl, algorithms: ['ES256', 'ES256K'] })],
  'none': [issuerConfig({ jwksPath, algorithms: ['none'] })],
  'an algorithm in small letters': [issuerConfig({ jwksPath, algorithms: ['es256'] })],
  'a name of every object': [issuerConfig({ jwksPath, algorithms: ['constructor'] })],
  'a symmetric algorithm with keys from a URL': [issuerConfig({ jwksUrl, algorithms: ['HS256'] })],
  'an address that is not safe': [issuerConfig({ jwksUrl: 'http://id.example.test/jwks.json' })],
  'the same issuer twice': [issuerConfig({ jwksUrl }), issuerConfig({ jwksPath, name: 'other' })],
}

for (const [name, configs] of Object.entries(mistakes)) {
  test(`${name} is refused with what to do`, () => {
    const make = () => new TokenVerifier(configs, { clock: new ManualClock(), log: silentLog, fetch })
    expect(make).toThrow(expect.objectContaining({ name: 'OperatorError', exitCode: 78, remedy: expect.stringMatching(/\w+/) }))
  })
}

const addresses: Readonly<Record<string, boolean>> = {
  'https://id.example.test/.well-known/jwks.json': true,
  'https://10.0.0.8:8443/jwks': true,
  'http://localhost:9000/jwks': true,
  'http://127.0.0.1:9000/jwks': true,
  'http://127.8.9.10/jwks': true,
  'http://[::1]:9000/jwks': true,
  'http://id.example.test/jwks': false,
  'http://10.0.0.8/jwks': false,
  'http://0.0.0.0/jwks': false,
  'http://169.254.169.254/latest/meta-data/': false,
  'http://[::ffff:10.0.0.1]/jwks': false,
  'http://127.0.0.1.attacker.test/jwks': false,
  'http://localhost.attacker.test/jwks': false,
  'http://localhost@attacker.test/jwks': false,
  'https://user@id.example.test/jwks': false,
  'https://user:secret@id.example.test/jwks': false,
  'https://:secret@id.example.test/jwks': false,
  'file:///etc/passwd': false,
  'ftp://id.example.test/jwks': false,
  'data:application/json,{"keys":[]}': false,
  'javascript:1': false,
  '//id.example.test/jwks': false,
  '/etc/passwd': false,
  '': false,
  'https://': false,
}

for (const [address, allowed] of Object.entries(addresses)) {
  test(`keys from ${address || 'nowhere'} are ${allowed ? 'allowed' : 'refused'}`, () => {
    expect(isAllowedJwksUrl(address)).toBe(allowed)
  })
}
