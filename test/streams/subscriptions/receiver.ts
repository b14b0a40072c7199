/** A webhook receiver on a real socket: keeps what it got, answers as it is told. */
import { createPublicKey, verify } from 'node:crypto'
import type { PublicJwk } from '../../../src/streams/subscriptions/signing.ts'

export interface Received {
  readonly raw: string
  readonly signature: string
  readonly headers: Headers
  readonly body: {
    readonly subscription_id: string
    readonly wake_id: string
    readonly generation: number
    readonly callback_url: string
    readonly callback_token: string
    readonly streams: readonly { readonly path: string; readonly tail_offset: string; readonly acked_offset: string; readonly has_pending: boolean; readonly link_type: string }[]
  }
}

export type Answer = (received: Received) => Response | Promise<Response>

export class Receiver {
  readonly received: Received[] = []
  readonly #server: Bun.Server<undefined>
  answer: Answer

  constructor(answer: Answer, tls?: { readonly cert: string; readonly key: string }) {
    this.answer = answer
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      ...(tls === undefined ? {} : { tls }),
      fetch: async request => {
        const raw = await request.text()
        const signature = request.headers.get('Webhook-Signature') ?? ''
        const received = { raw, signature, headers: request.headers, body: JSON.parse(raw) }
        this.received.push(received)
        return this.answer(received)
      },
    })
  }

  get port(): number {
    return this.#server.port ?? 0
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  last(): Received {
    const last = this.received.at(-1)
    if (last === undefined) throw new Error('nothing was received')
    return last
  }

  async close(): Promise<void> {
    await this.#server.stop(true)
  }
}

export const done: Answer = () => Response.json({ done: true })
export const accepted: Answer = () => new Response(null, { status: 202 })
export const broken: Answer = () => new Response('no', { status: 500 })

/** What a receiver does with the header: finds the key by `kid`, checks the signature over the raw body. Returns the time in s, or null. */
export function verifySignature(received: Received, keys: readonly PublicJwk[]): number | null {
  const parts = /^t=(\d+),kid=([^,]+),ed25519=([A-Za-z0-9_-]+)$/.exec(received.signature)
  const jwk = keys.find(key => key.kid === parts?.[2])
  if (parts === null || jwk === undefined) return null
  const [, time = '', , signature = ''] = parts
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  return verify(null, Buffer.from(`${time}.${received.raw}`), key, Buffer.from(signature, 'base64url')) ? Number(time) : null
}
