/** The short form of the fuzz test: the same seeds every time, so that a failure is one of the code. `bun run fuzz` is the long one. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { kindName, storeKinds } from '../support/stream-store.ts'
import { fuzzStreams } from './stream-fuzz.ts'

setDefaultTimeout(60_000)

const short = { memory: { runs: 4, steps: 400 }, 'file-fast': { runs: 2, steps: 150 }, 'file-durable': { runs: 2, steps: 150 }, acid: { runs: 2, steps: 150 } }

for (const kind of storeKinds) {
  test(`${kindName(kind)}: streams and model agree`, async () => {
    const { runs, steps } = kind.shards === 16 ? { runs: 1, steps: 60 } : short[kind.mode] // opening 17 databases takes a second
    const codes = new Set<string>()
    let accepted = 0
    for (let run = 0; run < runs; run++) {
      const totals = await fuzzStreams({ kind, seed: 1000 + run, steps })
      accepted += totals.accepted
      for (const code of totals.codes.keys()) codes.add(code)
    }
    // A run in which hardly anything happened would prove nothing.
    expect(accepted).toBeGreaterThan((runs * steps) / 4)
    expect(codes.size).toBeGreaterThan(3)
  })
}
