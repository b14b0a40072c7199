/** Idempotent producers: state and claim in, verdict out. Pure; storing the new state is the engine's. (PROTOCOL.md §5.2.1) */
import { fail } from '../lib/errors.ts'

export interface ProducerClaim {
  readonly id: string
  readonly epoch: number
  readonly seq: number
}

export interface ProducerProgress {
  readonly epoch: number
  readonly seq: number
}

/** Whether a claim is new data, or a repeat whose highest accepted sequence is `seq`. */
export type ProducerVerdict = { readonly kind: 'accept' } | { readonly kind: 'duplicate'; readonly epoch: number; readonly seq: number }

/** Decides a claim. Refuses: producer_fenced (403), producer_epoch_start (400), producer_gap (409). */
export function decideProducer(known: ProducerProgress | null, claim: ProducerClaim): ProducerVerdict {
  if (known === null) {
    if (claim.seq !== 0) fail('producer_gap', { expected: 0, received: claim.seq })
    return { kind: 'accept' }
  }
  if (claim.epoch < known.epoch) fail('producer_fenced', { epoch: known.epoch })
  if (claim.epoch > known.epoch) {
    if (claim.seq !== 0) fail('producer_epoch_start', {})
    return { kind: 'accept' }
  }
  if (claim.seq <= known.seq) return { kind: 'duplicate', epoch: known.epoch, seq: known.seq }
  if (claim.seq > known.seq + 1) fail('producer_gap', { expected: known.seq + 1, received: claim.seq })
  return { kind: 'accept' }
}
