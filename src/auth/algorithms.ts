/** The signature algorithms that tokens may use, and which keys fit each. */

interface Algorithm {
  readonly kty: 'RSA' | 'EC' | 'OKP' | 'oct'
  /** The curve, for EC and OKP keys. */
  readonly crv?: string
  /** Shortest symmetric key, RFC 7518 §3.2. */
  readonly secretBytesMin?: number
}

const table = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  // RFC 9864 gave the same algorithm this unambiguous name.
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  HS256: { kty: 'oct', secretBytesMin: 32 },
  HS384: { kty: 'oct', secretBytesMin: 48 },
  HS512: { kty: 'oct', secretBytesMin: 64 },
} as const satisfies Record<string, Algorithm>

export type AlgorithmName = keyof typeof table

/** Allowed when an issuer lists none: everything with a public key. `none` is no algorithm here at all. */
export const defaultAlgorithms = (Object.keys(table) as AlgorithmName[]).filter(name => !isSymmetric(name))

export function isAlgorithmName(name: string): name is AlgorithmName {
  return Object.hasOwn(table, name)
}

export function isSymmetric(name: AlgorithmName): boolean {
  return table[name].kty === 'oct'
}

export function algorithm(name: AlgorithmName): Algorithm {
  return table[name]
}

/** True when both names mean one algorithm. */
export function sameAlgorithm(a: string, b: string): boolean {
  return a === b || (isEd25519(a) && isEd25519(b))
}

function isEd25519(name: string): boolean {
  return name === 'EdDSA' || name === 'Ed25519'
}
