/** A server that knows one issuer of tokens and has rules for its streams, and tokens for it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, type Server } from './server.ts'
import { makeKey, makeToken } from './signing.ts'

export interface GuardedServer extends AsyncDisposable {
  readonly server: Server
  /** Headers with a token for `sub`, good for `secs` from now; further claims as given. */
  as(sub: string, secs?: number, claims?: Readonly<Record<string, unknown>>): Record<string, string>
  /** The issuer withdraws its key and signs with another from now on. The server looks when it meets a token of the new one. */
  rotate(): void
}

const issuer = 'https://login.example.org/'
const audience = 'headwater'

/** `streamApis` is the list as it stands in a config.json. */
export async function startGuardedServer(streamApis: readonly object[], env: Readonly<Record<string, string>> = {}): Promise<GuardedServer> {
  const depot = mkdtempSync(join(tmpdir(), 'headwater-guarded-'))
  let key = makeKey('ES256', 'k1')
  mkdirSync(depot, { recursive: true })
  const publish = () => writeFileSync(join(depot, 'keys.json'), JSON.stringify({ keys: [key.jwk] }))
  publish()
  const issuers = [{ name: 'login', issuer, audiences: [audience], jwks_path: join(depot, 'keys.json'), clock_tolerance_secs: 0 }]
  writeFileSync(join(depot, 'config.json'), JSON.stringify({ auth: { issuers }, stream_apis: streamApis }))
  const server = await startServer({ depot, env })
  return {
    server,
    as(sub, secs = 60, claims = {}) {
      const now = Date.now() / 1000
      return { authorization: `Bearer ${makeToken(key, { iss: issuer, aud: audience, sub, iat: Math.floor(now), exp: now + secs, ...claims })}` }
    },
    rotate() {
      key = makeKey('ES256', 'k2')
      publish()
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      rmSync(depot, { recursive: true, force: true })
    },
  }
}
