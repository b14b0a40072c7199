/** The contract on every storage mode: right after writing, from the tables, and after closing and opening again. */
import { describe, setDefaultTimeout } from 'bun:test'
import { kindName, storeKinds, type StoreKind } from '../support/stream-store.ts'
import { storeContract, type Moment } from './store-contract.ts'

setDefaultTimeout(30_000)

/** Opening 17 databases takes a second: 16 shards are opened again by the fuzz test only (test/fuzz). */
function momentsOf({ mode, shards }: StoreKind): readonly Moment[] {
  if (mode === 'memory' || shards === 16) return ['fresh']
  return mode === 'acid' ? ['applied', 'reopened'] : ['reopened']
}

for (const kind of storeKinds) {
  for (const moment of momentsOf(kind)) describe(`${kindName(kind)}, ${moment}`, () => storeContract(kind, moment))
}
