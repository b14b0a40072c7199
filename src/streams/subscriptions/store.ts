/** Keys and values of subscriptions in the host's store: one record each, one entry per link, the keys. No decisions. */
import { lazily } from '../../lib/lazily.ts'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../../lib/errors.ts'
import type { MetaChange, SubscriptionHost } from './host.ts'
import type { StoredKey } from './signing.ts'

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const recordForm = Type.Object({
  id: Type.String(),
  uid: Type.String(),
  created_at_ms: Type.Integer(),
  base_url: Type.String(),
  config_hash: Type.String(),
  config: Type.Object({
    type: Type.Union([Type.Literal('webhook'), Type.Literal('pull-wake')]),
    pattern: nullable(Type.String()),
    streams: Type.Array(Type.String()),
    webhookUrl: nullable(Type.String()),
    wakeStream: nullable(Type.String()),
    leaseTtlMs: Type.Integer(),
    description: nullable(Type.String()),
  }),
  state: Type.Object({
    generation: Type.Integer(),
    phase: Type.Union([Type.Literal('idle'), Type.Literal('issued'), Type.Literal('leased')]),
    wakeId: nullable(Type.String()),
    holder: nullable(Type.String()),
    leaseUntilMs: nullable(Type.Number()),
    attempts: Type.Integer(),
    nextAttemptAtMs: nullable(Type.Number()),
    status: Type.Union([Type.Literal('active'), Type.Literal('failed')]),
  }),
})
const linkForm = Type.Object({
  id: Type.String(),
  path: Type.String(),
  explicit: Type.Boolean(),
  acked: Type.String(),
  /** null while the stream does not exist. */
  stream_id: nullable(Type.Integer()),
})
const keyForm = Type.Object({
  kid: Type.String(),
  x: Type.String(),
  seed: nullable(Type.String()),
  createdAtMs: Type.Integer(),
  retiredAtMs: nullable(Type.Integer()),
})
const recordCheck = lazily(() => Compile(recordForm))
const linkCheck = lazily(() => Compile(linkForm))
const keyCheck = lazily(() => Compile(keyForm))
const secretCheck = lazily(() => Compile(Type.Object({ secret: Type.String({ minLength: 43 }) })))

export type StoredRecord = Static<typeof recordForm>
export type StoredLink = Static<typeof linkForm>

const recordPrefix = 'subscription/'
const linkPrefix = 'subscription-link/'
const keyPrefix = 'subscription-key/'
const secretKey = 'subscription-secret'

export function recordChange(record: StoredRecord): MetaChange {
  return { key: recordPrefix + encodeURIComponent(record.id), value: JSON.stringify(record) }
}

export function recordDeletion(id: string): MetaChange {
  return { key: recordPrefix + encodeURIComponent(id), value: null }
}

export function linkChange(link: StoredLink): MetaChange {
  return { key: linkKey(link.id, link.path), value: JSON.stringify(link) }
}

export function linkDeletion(id: string, path: string): MetaChange {
  return { key: linkKey(id, path), value: null }
}

export function keyChange(key: StoredKey): MetaChange {
  return { key: keyPrefix + key.kid, value: JSON.stringify(key) }
}

export function keyDeletion(kid: string): MetaChange {
  return { key: keyPrefix + kid, value: null }
}

export function secretChange(secret: string): MetaChange {
  return { key: secretKey, value: JSON.stringify({ secret }) }
}

/** Throws an OperatorError (exit code 74) on an entry that cannot be read: a cursor that is guessed would lose or repeat work. */
export function loadRecords(host: SubscriptionHost): Iterable<StoredRecord> {
  return load(host, recordPrefix, value => recordCheck().Check(value))
}

export function loadLinks(host: SubscriptionHost): Iterable<StoredLink> {
  return load(host, linkPrefix, value => linkCheck().Check(value))
}

export function loadKeys(host: SubscriptionHost): Iterable<StoredKey> {
  return load(host, keyPrefix, value => keyCheck().Check(value))
}

/** The secret of the callback tokens, 32 bytes in base64url, or null in a new store. */
export function loadSecret(host: SubscriptionHost): string | null {
  for (const { secret } of load(host, secretKey, value => secretCheck().Check(value))) return secret
  return null
}

function* load<T>(host: SubscriptionHost, prefix: string, check: (value: unknown) => value is T): Iterable<T> {
  for (const { key, value } of host.load(prefix)) {
    const parsed = parse(value)
    if (!check(parsed)) throw new OperatorError(`the stored entry ${key} is damaged`, 'run `headwater check`, then restore the store from a backup', 74)
    yield parsed
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function linkKey(id: string, path: string): string {
  return `${linkPrefix}${encodeURIComponent(id)}/${encodeURIComponent(path)}`
}
