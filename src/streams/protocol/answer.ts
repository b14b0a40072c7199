/** Makes a Response of ready parts. Error answers are http/errors.ts. */

/** Header fields by name; an object literal is what Bun turns into headers fastest. */
export type HeaderFields = Record<string, string>

export function answer(status: number, headers: HeaderFields, body: Uint8Array | ReadableStream<Uint8Array> | null = null): Response {
  // Bun takes any bytes; only the types of the platform ask for an ArrayBuffer behind them.
  return new Response(body as Uint8Array<ArrayBuffer> | null, { status, headers })
}
