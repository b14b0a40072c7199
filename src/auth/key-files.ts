/** The key pair that this server signs its own tokens with, as two files below `secrets/keys/` (trailbase-api.md §9.1). Tokens are own-tokens.ts. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OperatorError } from '../lib/errors.ts'
import type { Ids } from '../lib/ids.ts'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The public key as others read it; `kid` is its thumbprint (RFC 7638). */
  readonly jwk: PublicJwk
}

export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly alg: 'EdDSA'
  readonly use: 'sig'
}

const privateName = 'private_key.pem'
const publicName = 'public_key.pem'
/** What stands before the 32 bytes of a private Ed25519 key in PKCS #8 (RFC 8410 §7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Reads the pair in `directory`, making what is missing of it. Throws OperatorError: 78 for files that are no pair, 73 when they cannot be made. */
export function openKeyFiles(directory: string, ids: Ids): KeyPair {
  const paths = { private: join(directory, privateName), public: join(directory, publicName) }
  const publicText = readIfThere(paths.public)
  const privateText = readIfThere(paths.private)
  if (privateText === null && publicText !== null) {
    throw new OperatorError(`${paths.public} is there, but ${paths.private} is not`, 'Bring the private key back from a backup, or remove the public one to get a new pair; tokens of the old one end then.', 78)
  }
  const privateKey = parsePrivate(privateText ?? createFile(paths.private, newPrivateKey(ids)), paths.private)
  const publicKey = createPublicKey(privateKey)
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  checkPublic(publicText ?? createFile(paths.public, publicPem), publicPem, paths.public)
  return { privateKey, publicKey, jwk: publicJwk(publicKey) }
}

/** A pair that lives as long as the process. */
export function temporaryKeys(ids: Ids): KeyPair {
  const privateKey = createPrivateKey({ key: newPrivateKey(ids), format: 'pem' })
  const publicKey = createPublicKey(privateKey)
  return { privateKey, publicKey, jwk: publicJwk(publicKey) }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw new OperatorError(`${path} cannot be read (${codeOf(error)})`, 'Make it readable for the server’s user, and for nobody else.', 78)
  }
}

function newPrivateKey(ids: Ids): string {
  const der = Buffer.concat([pkcs8Prefix, Buffer.from(ids.secret(), 'base64url')])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Whole or not at all, also when the process ends meanwhile or another one makes it, too: whoever links first has made it. Returns what the file holds. */
function createFile(path: string, text: string): string {
  const draft = `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeSynced(draft, text)
    try {
      linkSync(draft, path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      rmSync(draft, { force: true })
    }
    syncDirectory(dirname(path))
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new OperatorError(`${path} cannot be made (${codeOf(error)})`, 'Let the server’s user write there, or put a pair of Ed25519 keys there yourself.', 73)
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function parsePrivate(text: string, path: string): KeyObject {
  try {
    const key = createPrivateKey({ key: text, format: 'pem' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below, without what the library says: its words may hold a part of the file.
  }
  throw new OperatorError(`${path} holds no private Ed25519 key (PKCS #8, PEM)`, 'Put the right key there, or remove both files to get a new pair; tokens of the old one end then.', 78)
}

function checkPublic(text: string, expected: string, path: string): void {
  try {
    if (createPublicKey({ key: text, format: 'pem' }).export({ type: 'spki', format: 'pem' }).toString() === expected) return
  } catch {
    // As above.
  }
  throw new OperatorError(`${path} does not belong to the private key beside it`, 'Remove it: it is made anew from the private key.', 78)
}

function publicJwk(key: KeyObject): PublicJwk {
  const x = key.export({ format: 'jwk' }).x ?? ''
  const kid = createHash('sha256').update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x })).digest('base64url')
  return { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
