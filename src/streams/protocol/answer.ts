/** Makes a Response of ready parts. Error answers are http/errors.ts. */

export type HeaderPair = readonly [name: string, value: string]
export type HeaderPairs = readonly HeaderPair[]

export function answer(status: number, headers: HeaderPairs, body: Uint8Array | ReadableStream<Uint8Array> | null = null): Response {
  // Bun takes pairs and bytes as they are; only the types of the platform ask for mutable ones.
  return new Response(body as Uint8Array<ArrayBuffer> | null, { status, headers: headers as [string, string][] })
}
