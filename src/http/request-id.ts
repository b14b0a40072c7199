/** The name of a request in logs and answers. Made only when somebody asks for it: most appends never need one. */
import type { Ids } from '../lib/ids.ts'
import type { HttpServer } from './listener.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

export interface RequestIds {
  /** Keeps the X-Request-Id of a trusted proxy; call it first. Returns the id, or null when there is none to keep. */
  adopt(request: Request, server: HttpServer): string | null
  /** The id of `request`, made at the first call. */
  of(request: Request): string
}

/** Characters of an X-Request-Id that we repeat in logs and answers. */
const acceptable = /^[A-Za-z0-9._:+/=-]{1,128}$/

export function requestIds(ids: Ids, proxies: TrustedProxies): RequestIds {
  const known = new WeakMap<Request, string>()
  return {
    adopt(request, server) {
      if (!proxies.any) return null
      const offered = request.headers.get('X-Request-Id')
      if (offered === null || !acceptable.test(offered)) return null
      // null on a unix socket: only processes of this machine can reach it.
      const peer = server.requestIP(request)
      if (peer !== null && !proxies.trusts(peer.address)) return null
      known.set(request, offered)
      return offered
    },
    of(request) {
      const present = known.get(request)
      if (present !== undefined) return present
      const made = ids.random()
      known.set(request, made)
      return made
    },
  }
}
