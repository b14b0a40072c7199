/** What the published suite needs of vitest and `bun test` lacks, and the HTTP/2 fetch. Import it before the suite. */
import { describe, test, vi } from 'bun:test'

interface WaitOptions {
  readonly timeout?: number
  readonly interval?: number
}

for (const block of [describe, test]) {
  if (!('runIf' in block)) Object.assign(block, { runIf: (condition: unknown) => (condition ? block : block.skip) })
}
if (!('waitFor' in vi)) Object.assign(vi, { waitFor })

const ca = Bun.env.CONFORMANCE_CA
if (ca) {
  const plainFetch = globalThis.fetch
  const secureFetch = async (input: string | URL | Request, init?: RequestInit) => {
    // Only the server under test speaks HTTP/2; the suite's own webhook receivers are plain http.
    const url = input instanceof Request ? input.url : String(input)
    return await plainFetch(input, url.startsWith('https:') ? { ...init, protocol: 'http2', tls: { ca } } : init)
  }
  globalThis.fetch = Object.assign(secureFetch, { preconnect: plainFetch.preconnect })
}

async function waitFor<T>(attempt: () => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
  const deadlineMs = performance.now() + (options.timeout ?? 1000)
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() >= deadlineMs) throw error
      await Bun.sleep(options.interval ?? 50)
    }
  }
}
