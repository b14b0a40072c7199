/** The server's secrets for subscriptions: the active signing key, the retired public ones, the token secret. Kept in the host's store. */
import { must } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { MetaChange, SubscriptionHost } from './host.ts'
import { makeKey, outlived, publicJwk, retired, Signer, type PublicJwk, type StoredKey } from './signing.ts'
import { keyChange, keyDeletion, loadKeys, loadSecret, secretChange } from './store.ts'

export class Keys {
  readonly #host: SubscriptionHost
  readonly #clock: Clock
  readonly #ids: Ids
  #keys: readonly StoredKey[] = []
  #signer: Signer | null = null
  #secret: Buffer | null = null

  constructor(host: SubscriptionHost, clock: Clock, ids: Ids) {
    this.#host = host
    this.#clock = clock
    this.#ids = ids
  }

  /** Loads what there is and makes what is missing. */
  async open(): Promise<void> {
    const changes: MetaChange[] = []
    const stored = [...loadKeys(this.#host)]
    const active = stored.filter(key => key.seed !== null).toSorted((a, b) => b.createdAtMs - a.createdAtMs)[0]
    const key = active ?? makeKey(this.#ids.secret(), this.#clock.now())
    if (active === undefined) changes.push(keyChange(key))
    const storedSecret = loadSecret(this.#host)
    const secret = storedSecret ?? this.#ids.secret()
    if (storedSecret === null) changes.push(secretChange(secret))
    if (changes.length > 0) await this.#host.save(changes)
    this.#keys = active === undefined ? [key, ...stored] : stored
    this.#use(key)
    this.#secret = Buffer.from(secret, 'base64url')
  }

  get tokenSecret(): Buffer {
    return must(this.#secret, 'keys are open')
  }

  get kid(): string {
    return this.#active().key.kid
  }

  sign(body: string): string {
    return this.#active().header(body, this.#clock.now())
  }

  jwks(): { readonly keys: readonly PublicJwk[] } {
    return { keys: this.#keys.filter(key => !outlived(key, this.#clock.now())).map(publicJwk) }
  }

  /** A new key signs from now on; the old one stays published for `keyOverlapMs`, its private part is gone. Returns the new key's id. */
  async rotate(): Promise<string> {
    const nowMs = this.#clock.now()
    const key = makeKey(this.#ids.secret(), nowMs)
    const kept = this.#keys.filter(old => !outlived(old, nowMs)).map(old => (old.seed === null ? old : retired(old, nowMs)))
    const gone = this.#keys.filter(old => outlived(old, nowMs))
    await this.#host.save([keyChange(key), ...kept.map(keyChange), ...gone.map(old => keyDeletion(old.kid))])
    this.#keys = [key, ...kept]
    this.#use(key)
    return key.kid
  }

  #active(): Signer {
    return must(this.#signer, 'keys are open')
  }

  #use(key: StoredKey): void {
    this.#signer = new Signer(key, must(key.seed, 'the active key has its private part'))
  }
}
