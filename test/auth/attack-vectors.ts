/** Tokens that must not be accepted, each with a name. The setting they attack is that of attacks.test.ts. */
import { encode, makeHmacToken, makeToken, signBytes, type SigningKey } from '../support/signing.ts'

export interface Vector {
  readonly name: string
  readonly token: string
}

export interface Setting {
  /** Published keys, one for each algorithm. */
  readonly keys: readonly SigningKey[]
  /** Keys with the same names that only the attacker has. */
  readonly attackers: readonly SigningKey[]
  /** Published, but not for signatures, not for this algorithm, or too weak. */
  readonly unfit: readonly SigningKey[]
  readonly secret: Uint8Array
  readonly claims: Readonly<Record<string, unknown>>
}

export function attackVectors(setting: Setting): readonly Vector[] {
  return [
    ...signatureAttacks(setting),
    ...algorithmConfusion(setting),
    ...headerAttacks(setting),
    ...claimAttacks(setting),
    ...formAttacks(setting),
    ...keyAttacks(setting),
  ]
}

/** Every algorithm with every way to spoil a signature or to change what it signs. */
function signatureAttacks({ keys, attackers, claims }: Setting): Vector[] {
  return keys.flatMap((key, at) => {
    const good = makeToken(key, claims)
    const [header = '', payload = '', signature = ''] = good.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const signed = (other: Uint8Array) => `${header}.${payload}.${Buffer.from(other).toString('base64url')}`
    const attacker = attackers[at] ?? key
    const vectors: Record<string, string> = {
      'no signature': `${header}.${payload}.`,
      'no signature and no dot': `${header}.${payload}`,
      'first bit flipped': signed(flip(bytes, 0)),
      'middle bit flipped': signed(flip(bytes, bytes.length >> 1)),
      'last bit flipped': signed(flip(bytes, bytes.length - 1)),
      'one byte short': signed(bytes.subarray(0, -1)),
      'half of it': signed(bytes.subarray(0, bytes.length / 2)),
      'one byte more': signed(Buffer.concat([bytes, Buffer.from([0])])),
      'one zero before': signed(Buffer.concat([Buffer.from([0]), bytes])),
      'all zero': signed(new Uint8Array(bytes.length)),
      'all ones': signed(new Uint8Array(bytes.length).fill(255)),
      'one zero byte': signed(new Uint8Array(1)),
      'reversed': signed(Buffer.from(bytes).reverse()),
      'of other claims': `${header}.${encode({ ...claims, sub: 'root' })}.${signature}`,
      'of another header': `${encode({ alg: key.alg, kid: key.kid })}.${payload}.${signature}`,
      'by the attacker under the published name': makeToken({ ...attacker, kid: key.kid }, claims),
      'by the attacker without a name': makeToken(attacker, claims, { alg: key.alg }),
      'not canonical: other padding bits': `${header}.${payload}.${respell(signature)}`,
      'with padding': `${header}.${payload}.${signature}=`,
    }
    if (key.alg.startsWith('ES')) Object.assign(vectors, ecdsaAttacks(key, header, payload, signed))
    if (key.alg === 'EdDSA') vectors['s plus the group order'] = signed(addOrder(bytes))
    return named(key.alg, vectors)
  })
}

/** Zeros and multiples of the order that careless verifiers take for any message (CVE-2022-21449), and other encodings. */
function ecdsaAttacks(key: SigningKey, header: string, payload: string, signed: (bytes: Uint8Array) => string): Record<string, string> {
  const orders: Readonly<Record<string, string>> = {
    ES256: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    ES384: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    ES512: '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  }
  const order = Buffer.from(orders[key.alg] ?? '', 'hex')
  const zero = new Uint8Array(order.length)
  const one = Buffer.concat([zero.subarray(1), Buffer.from([1])])
  const pair = (r: Uint8Array, s: Uint8Array) => signed(Buffer.concat([r, s]))
  return {
    'r = 0, s = 1': pair(zero, one),
    'r = 1, s = 0': pair(one, zero),
    'r = s = 1': pair(one, one),
    'r = n, s = 0': pair(order, zero),
    'r = n, s = n': pair(order, order),
    'r = 0, s = n': pair(zero, order),
    'r = n, s = 1': pair(order, one),
    'DER of zeros': signed(Buffer.from('3006020100020100', 'hex')),
    'DER of an honest one': signed(toDer(signBytes(key.alg, key.privateKey, `${header}.${payload}`))),
  }
}

/** Each key's signature under every other algorithm's name, and symmetric ones with what is public as the secret. */
function algorithmConfusion({ keys, claims }: Setting): Vector[] {
  const names = [...keys.map(key => key.alg), 'HS256', 'HS384', 'HS512', 'none', 'ES256K', 'RSA-OAEP', 'dir', 'A128KW']
  return keys.flatMap(key => {
    const renamed = names
      .filter(alg => alg !== key.alg)
      .map(alg => ({ name: `${key.alg} signature called ${alg}`, token: makeToken(key, claims, { alg, kid: key.kid }) }))
    const spki = key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const der = key.publicKey.export({ type: 'spki', format: 'der' })
    const secrets: Record<string, string | Uint8Array> = {
      'PEM': spki,
      'PEM without its last line break': spki.trimEnd(),
      'DER': der,
      'JWK': JSON.stringify(key.jwk),
      'first member': Buffer.from(String(key.jwk['n'] ?? key.jwk['x']), 'base64url'),
      'nothing': '',
    }
    const symmetric = Object.entries(secrets).map(([what, secret]) => ({
      name: `HS256 with ${what} of the ${key.alg} key as secret`,
      token: makeHmacToken('HS256', secret, claims, { alg: 'HS256', kid: key.kid }),
    }))
    return [...renamed, ...symmetric]
  })
}

function headerAttacks({ keys, attackers, claims }: Setting): Vector[] {
  const [key] = keys
  const [attacker] = attackers
  if (key === undefined || attacker === undefined) return []
  return [...nameAttacks(key, claims), ...extensionAttacks(key, attacker, claims), ...headerTexts(key, claims)]
}

/** `alg` and `kid` in wrong values and forms. */
function nameAttacks(key: SigningKey, claims: object): Vector[] {
  const base = { alg: key.alg, kid: key.kid }
  const unsigned = ['none', 'None', 'NONE', 'nOnE', ' none', 'none ', '', 'null', 'rs256', 'RS256 ', 'RS256\0'].map(alg => ({
    name: `alg ${JSON.stringify(alg)} without signature`,
    token: `${encode({ ...base, alg })}.${encode(claims)}.`,
  }))
  const algs = [null, 1, true, ['RS256'], { RS256: 1 }, undefined, 'none', 'rs256', ' RS256'].map(alg => ({
    name: `alg is ${JSON.stringify(alg)}`,
    token: makeToken(key, claims, { ...base, alg }),
  }))
  const kids = [
    '../../../../dev/null', '/dev/null', '../../etc/passwd', "' UNION SELECT 'secret' --", '1 OR 1=1', 'http://attacker.test/k', '__proto__',
    'constructor', 'toString', '', 'x\0', 'a'.repeat(4000), '*', `${key.kid} `, key.kid.toUpperCase(), `${key.kid}\n`, '| sleep 5', '${jndi:ldap://a}',
  ].flatMap(kid => [
    { name: `kid ${JSON.stringify(kid.slice(0, 30))}, published key`, token: makeToken(key, claims, { ...base, kid }) },
    { name: `kid ${JSON.stringify(kid.slice(0, 30))}, empty secret`, token: makeHmacToken('HS256', '', claims, { alg: 'HS256', kid }) },
  ])
  const kidForms = [null, 1, [key.kid], { kid: key.kid }, true].map(kid => ({
    name: `kid is ${JSON.stringify(kid)}`,
    token: makeToken(key, claims, { ...base, kid }),
  }))
  return [...unsigned, ...algs, ...kids, ...kidForms]
}

/** Members that would bring a key along or change the meaning of the token. */
function extensionAttacks(key: SigningKey, attacker: SigningKey, claims: object): Vector[] {
  const base = { alg: key.alg, kid: key.kid }
  const ownKeys: Record<string, object> = {
    'jwk': { jwk: attacker.jwk },
    'jwk without kid': { kid: undefined, jwk: attacker.jwk },
    'jku': { jku: 'https://attacker.test/jwks.json' },
    'jku of a file': { jku: 'file:///etc/passwd' },
    'x5u': { x5u: 'https://attacker.test/cert.pem' },
    'x5c': { x5c: [Buffer.from('not a certificate').toString('base64')] },
    'x5t': { 'x5t#S256': encode('thumb') },
  }
  const selfMade = Object.entries(ownKeys).map(([name, extra]) => ({
    name: `${name} in the header, attacker's signature`,
    token: makeToken(attacker, claims, { ...base, ...extra }),
  }))
  const extensions: Record<string, object> = {
    'crit of nothing': { crit: [] },
    'crit unknown': { crit: ['exp'], exp: 1 },
    'crit b64': { crit: ['b64'], b64: true },
    'crit b64 false': { crit: ['b64'], b64: false },
    'crit alg': { crit: ['alg'] },
    'crit a text': { crit: 'b64' },
    'b64 false': { b64: false },
    'b64 true': { b64: true },
    'zip': { zip: 'DEF' },
    'enc': { enc: 'A256GCM' },
    'typ dpop+jwt': { typ: 'dpop+jwt' },
    'typ DPoP+JWT': { typ: 'DPoP+JWT' },
    'typ logout+jwt': { typ: 'logout+jwt' },
    'typ secevent+jwt': { typ: 'application/secevent+jwt' },
    'typ kb+jwt': { typ: 'kb+jwt' },
    'typ JWE': { typ: 'JWE' },
    'typ empty': { typ: '' },
    'typ a number': { typ: 1 },
    'typ null': { typ: null },
  }
  const extended = Object.entries(extensions).map(([name, extra]) => ({ name, token: makeToken(key, claims, { ...base, ...extra }) }))
  return [...selfMade, ...extended]
}

/** Headers that are no JSON object, or one that two readers could read differently. */
function headerTexts(key: SigningKey, claims: object): Vector[] {
  return [
    `{"alg":"none","alg":"${key.alg}","kid":"${key.kid}"}`,
    `{"alg":"${key.alg}","kid":"other","kid":"${key.kid}"}`,
    `{"\\u0061lg":"none","alg":"${key.alg}","kid":"${key.kid}"}`,
    `{"alg":"${key.alg}","kid":"${key.kid}","a":{"b":1,"b":2}}`,
    `{"alg":"${key.alg}","kid":"${key.kid}"`,
    `{"alg":"${key.alg}","kid":"${key.kid}",}`,
    `{"alg":"${key.alg}","kid":"${key.kid}"}x`,
    `\uFEFF{"alg":"${key.alg}","kid":"${key.kid}"}`,
    `["${key.alg}"]`, '"RS256"', 'null', '1', '', '{}',
    `{"alg":"${key.alg}","kid":"${key.kid}","x":${'['.repeat(200)}${']'.repeat(200)}}`,
    `{'alg':'${key.alg}'}`,
  ].map(text => ({ name: `header ${text.slice(0, 60)}`, token: makeToken(key, claims, text) }))
}

/** Rightly signed, wrong in what they claim. */
function claimAttacks({ keys, claims }: Setting): Vector[] {
  const [key] = keys
  if (key === undefined) return []
  const exp = Number(claims['exp'])
  const iss = String(claims['iss'])
  const changes: Record<string, object> = {}
  const set = (name: string, values: readonly unknown[]) => {
    for (const value of values) changes[`${name} is ${String(JSON.stringify(value)).slice(0, 60)}`] = { [name]: value }
  }
  set('iss', [undefined, null, '', `${iss}/`, iss.toUpperCase(), ` ${iss}`, `${iss}.attacker.test`, `${iss}\0`, [iss], { iss }, 1, 'https://attacker.test', '__proto__', 'constructor'])
  set('aud', [undefined, null, '', 'streams2', 'STREAMS', 'streams ', [], ['other'], [['streams']], { aud: 'streams' }, 1, [1], 'stream', ['streams', 1], '*'])
  set('exp', [undefined, null, 0, -1, 1, exp - 200_000, '99999999999', true, [exp], { exp }, '', 'never'])
  set('nbf', [exp + 100, 9e15, null, '0', [0], true])
  set('iat', [exp + 100, 9e15, null, '0', [0], false])
  set('sub', [null, 1, ['user'], { sub: 'user' }, true])
  set('cnf', [{ jkt: 'thumb' }, { 'x5t#S256': 'thumb' }, null])
  const changed = Object.entries(changes).map(([name, change]) => ({ name, token: makeToken(key, { ...claims, ...change }) }))
  const text = JSON.stringify(claims)
  const texts = [
    text.replace('{', '{"sub":"root",'),
    text.replace('{', '{"exp":99999999999,'),
    text.replace('{', '{"\\u0073ub":"root",'),
    text.replace('{', `{"iss":"https://attacker.test",`),
    text.replace('{', '{"aud":"other",'),
    text.replace('{', '{"role":{"a":1,"a":2},'),
    text.replace('{', '{"list":[{"a":1,"a":2}],'),
    text.replace('{', '{"__proto__":1,"__proto__":2,'),
    text.replace(`"exp":${exp}`, '"exp":1e999'),
    text.replace('{', '{"nbf":-1e999,'),
    text.replace('{', '{"iat":1e999,'),
    `[${text}]`, `${text} x`, `\uFEFF${text}`, JSON.stringify(text), 'null', '', '{}', '{', text.slice(0, -1),
    text.replace('{', `{"deep":${'{"a":'.repeat(40)}1${'}'.repeat(40)},`),
    text.replace('{', '{/* comment */'),
  ].map(payload => ({ name: `payload ${payload.slice(0, 50)}`, token: makeToken(key, payload) }))
  const badUtf8 = Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc3, 0x28]), Buffer.from(`",${text.slice(1)}`)])
  return [...changed, ...texts, { name: 'payload in bad UTF-8', token: makeToken(key, badUtf8) }]
}

function formAttacks({ keys, claims }: Setting): Vector[] {
  const [key] = keys
  if (key === undefined) return []
  const good = makeToken(key, claims)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const json = { payload, signatures: [{ protected: header, signature }] }
  return named('form', {
    'empty': '',
    'a dot': '.',
    'two dots': '..',
    'three dots': '...',
    'one part': header,
    'four parts': `${good}.`,
    'four parts, one empty before': `.${good}`,
    'five parts like a JWE': `${good}.${payload}.${signature}`,
    'JSON serialisation': JSON.stringify(json),
    'flattened JSON': JSON.stringify({ payload, protected: header, signature }),
    'space before': ` ${good}`,
    'space behind': `${good} `,
    'line break behind': `${good}\n`,
    'line break within': `${header}.\n${payload}.${signature}`,
    'zero behind': `${good}\0`,
    'percent-encoded dots': good.replaceAll('.', '%2E'),
    'other dots': good.replaceAll('.', '\u3002'),
    'padded header': `${header}==.${payload}.${signature}`,
    'padded payload': `${header}.${payload}=.${signature}`,
    'quoted': `"${good}"`,
    'twice': `${good},${good}`,
    'Bearer twice': `Bearer ${good}`,
    'longer than allowed': makeToken(key, { ...claims, filler: 'x'.repeat(8 * 1024) }),
    'much longer than allowed': `${header}.${'A'.repeat(1_000_000)}.${signature}`,
    'many dots': '.'.repeat(8_000),
    'a payload in the plain alphabet': `${header}.${Buffer.from(JSON.stringify({ ...claims, sub: '???>>>' })).toString('base64')}.${signature}`,
  })
}

/** Signatures that are right, by keys that must not count. */
function keyAttacks({ unfit, secret, claims }: Setting): Vector[] {
  const byUnfit = unfit.flatMap(key => [
    { name: `published but unfit: ${key.kid}`, token: makeToken(key, claims) },
    { name: `published but unfit, not named: ${key.kid}`, token: makeToken(key, claims, { alg: key.alg }) },
  ])
  const bySecret = ['HS256', 'HS384', 'HS512'].map(alg => ({
    name: `${alg} with the symmetric key that a URL publishes`,
    token: makeHmacToken(alg, secret, claims, { alg, kid: 'published-secret' }),
  }))
  return [...byUnfit, ...bySecret]
}

function named(prefix: string, tokens: Readonly<Record<string, string>>): Vector[] {
  return Object.entries(tokens).map(([name, token]) => ({ name: `${prefix}: ${name}`, token }))
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

/** The same bytes in another spelling: a bit that the decoder drops is set. Spoils the token where there is no such bit. */
function respell(base64url: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(base64url.at(-1) ?? 'A')
  return base64url.slice(0, -1) + (alphabet[last ^ 1] ?? 'A')
}

function addOrder(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const half = Buffer.from(signature.subarray(32)).reverse().toString('hex')
  const sum = (BigInt(`0x${half}`) + order).toString(16).padStart(64, '0')
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(sum, 'hex').reverse()])
}

function toDer(pair: Buffer): Buffer {
  const integer = (bytes: Buffer) => {
    const padded = Buffer.concat([Buffer.from([0]), bytes])
    return Buffer.concat([Buffer.from([2, padded.length]), padded])
  }
  const body = Buffer.concat([integer(pair.subarray(0, pair.length / 2)), integer(pair.subarray(pair.length / 2))])
  const length = body.length < 128 ? [body.length] : [0x81, body.length]
  return Buffer.concat([Buffer.from([0x30, ...length]), body])
}
