/** A value that is made when it is first asked for, so that programs that never ask start without it. */

export function lazily<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | null = null
  return () => (made ??= { value: make() }).value
}
