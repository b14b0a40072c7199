/** Who may read `/metrics`: everybody, holders of the token, or callers on this machine. The figures are ops/metrics.ts. */
import { timingSafeEqual } from 'node:crypto'
import { fail } from '../lib/errors.ts'

export interface MetricsAccess {
  /** Everybody may. */
  readonly isPublic: boolean
  /** What a Bearer token must equal; null: only callers on this machine may. */
  readonly token: string | null
}

/** Refuses who may not: unauthorized (401), forbidden (403). `peer` is the caller's address; null on a Unix socket. */
export function checkMetricsAccess(access: MetricsAccess, request: Request, peer: string | null): void {
  if (access.isPublic) return
  if (access.token === null) {
    if (peer !== null && !isLoopback(peer)) fail('forbidden', { detail: 'metrics are for callers on the server’s machine' })
    return
  }
  const given = /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  if (given === undefined || !sameText(given, access.token)) fail('unauthorized', { detail: 'metrics need the metrics token' })
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

/** Takes as long whatever the difference is. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map(text => new Bun.CryptoHasher('sha256').update(text).digest())
  return left !== undefined && right !== undefined && timingSafeEqual(left, right)
}
