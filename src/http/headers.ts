/** Headers that every answer carries, and pairs in general. Which origins may read an answer is cors.ts. */

export type HeaderPair = readonly [name: string, value: string]

/** Browsers neither guess the type of an answer nor refuse it to another origin's page (spec §3.9). */
export const securityHeaders: readonly HeaderPair[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Cross-Origin-Resource-Policy', 'cross-origin'],
]

/** Sets each of `pairs` that `response` does not have yet; `Vary` is extended. Changes and returns `response`. */
export function addMissingHeaders(response: Response, pairs: readonly HeaderPair[]): Response {
  for (const [name, value] of pairs) {
    if (name === 'Vary') extendVary(response.headers, value)
    else if (!response.headers.has(name)) response.headers.set(name, value)
  }
  return response
}

function extendVary(headers: Headers, value: string): void {
  const present = headers.get('Vary')
  if (present === null) headers.set('Vary', value)
  else if (!present.toLowerCase().split(/,\s*/).includes(value.toLowerCase())) headers.set('Vary', `${present}, ${value}`)
}
