/** Getting the text of a key set, from a URL or a file, within bounds of size and time. Reading the keys in it is jwks.ts. */
import { open } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'

/** Largest key set that is read, in bytes. */
export const jwksBytesMax = 512 * 1024
/** Longest that a fetch of a key set may take, body included. */
export const jwksFetchMsMax = 5_000

/** Gives the text of a key set; rejects with an Error that says what went wrong, for the log. */
export type LoadJwks = () => Promise<string>

export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>

/** Reads a whole file; rejects when it is longer than `bytesMax`. */
export type ReadTextFile = (path: string, bytesMax: number) => Promise<string>

/** True for https, and for http to this machine; never with credentials in the URL. */
export function isAllowedJwksUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return false
  const isLocal = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)
}

/** Fetches from `url`, which `isAllowedJwksUrl`. Redirects are not followed: they could lead to an address the operator never named. */
export function jwksUrlLoader(url: string, { fetch, clock }: { readonly fetch: Fetch; readonly clock: Clock }): LoadJwks {
  return async () => {
    const abort = new AbortController()
    const cancel = clock.after(jwksFetchMsMax, () => abort.abort(new Error(`no complete answer within ${jwksFetchMsMax} ms`)))
    try {
      const response = await fetch(url, {
        redirect: 'manual',
        signal: abort.signal,
        // Without compression the bytes counted are the bytes that arrive.
        headers: { Accept: 'application/jwk-set+json, application/json', 'Accept-Encoding': 'identity' },
        decompress: false,
      })
      return await readAnswer(response)
    } finally {
      cancel()
      // Ends the transfer when the answer was refused half-way.
      abort.abort()
    }
  }
}

export function jwksFileLoader(path: string, readFile: ReadTextFile): LoadJwks {
  return () => readFile(path, jwksBytesMax)
}

export const readTextFile: ReadTextFile = async (path, bytesMax) => {
  const file = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(bytesMax + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length)
      length += bytesRead
      if (length > bytesMax) throw new Error(`${path} is longer than ${bytesMax} bytes`)
      if (bytesRead === 0) return bytes.toString('utf8', 0, length)
    }
  } finally {
    await file.close()
  }
}

async function readAnswer(response: Response): Promise<string> {
  if (response.status !== 200) throw new Error(`the answer has status ${response.status}, expected 200`)
  if (response.body === null) throw new Error('the answer has no body')
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body) {
    length += chunk.length
    if (length > jwksBytesMax) throw new Error(`the answer is longer than ${jwksBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
