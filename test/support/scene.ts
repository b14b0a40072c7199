/** Short forms for tests that talk to a running server: create, append, read everything, wait for a condition. */

export const textPlain = { 'content-type': 'text/plain' }
export const binary = { 'content-type': 'application/octet-stream' }
export const json = { 'content-type': 'application/json' }

export interface Outcome {
  readonly status: number
  readonly next: string
  readonly closed: boolean
}

/** Sends a request and reads the answer to its end. */
export async function ask(url: string, method: string, headers: Readonly<Record<string, string>> = {}, body?: string | Uint8Array<ArrayBuffer>): Promise<Outcome> {
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
  await answer.arrayBuffer()
  return { status: answer.status, next: answer.headers.get('stream-next-offset') ?? '', closed: answer.headers.get('stream-closed') === 'true' }
}

export interface PageSeen {
  readonly offset: string
  readonly next: string
  readonly bytes: Uint8Array
  readonly upToDate: boolean
  readonly closed: boolean
  readonly cacheControl: string
  readonly etag: string
}

/** One catch-up page. Throws on anything but 200. */
export async function readPage(url: string, offset: string, headers: Readonly<Record<string, string>> = {}): Promise<PageSeen> {
  const answer = await fetch(`${url}?offset=${offset}`, { headers })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (answer.status !== 200) throw new Error(`${answer.status} at ${offset}: ${Buffer.from(bytes).toString().slice(0, 200)}`)
  return {
    offset,
    bytes,
    next: answer.headers.get('stream-next-offset') ?? '',
    upToDate: answer.headers.get('stream-up-to-date') === 'true',
    closed: answer.headers.get('stream-closed') === 'true',
    cacheControl: answer.headers.get('cache-control') ?? '',
    etag: answer.headers.get('etag') ?? '',
  }
}

/** Every page from `offset` to the tail. */
export async function readPages(url: string, offset = '-1'): Promise<PageSeen[]> {
  const pages: PageSeen[] = []
  for (let from = offset; ; ) {
    const page = await readPage(url, from)
    pages.push(page)
    if (page.upToDate) return pages
    if (page.next === from) throw new Error(`the reader does not get on at ${from}`)
    from = page.next
  }
}

/** Waits until `test` holds, or throws `what`. The bound is for what never comes, not for a busy machine. */
export async function eventually(what: string, test: () => boolean | Promise<boolean>, msMax = 20_000): Promise<void> {
  const deadlineMs = performance.now() + msMax
  while (!(await test())) {
    if (performance.now() > deadlineMs) throw new Error(`never came: ${what}`)
    await Bun.sleep(20)
  }
}
