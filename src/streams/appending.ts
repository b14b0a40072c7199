/** Decides an append against what is known of its stream. Pure: the order of checks is PROTOCOL.md §5.2 with §5.2.1. */
import { fail } from '../lib/errors.ts'
import type { AppendCommand, AppendResult } from './commands.ts'
import { decideProducer, type ProducerProgress } from './producer.ts'
import { formatOffset } from './protocol/offset.ts'
import type { StreamState } from './stream.ts'

export type AppendDecision =
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'answer'; readonly result: AppendResult }

/** Everything but the bytes of a close without a body. */
export const noBytes = new Uint8Array(0)

/**
 * What `command` does to `stream`, given the stored progress of its producer. Refuses: stream_closed,
 * content_type_mismatch, producer_fenced, producer_epoch_start, producer_gap, sequence_conflict, invalid_json, empty_array.
 */
export function decideAppend(
  stream: Pick<StreamState, 'tail' | 'closed' | 'closedBy' | 'mediaType' | 'seq'>,
  command: AppendCommand,
  progress: ProducerProgress | null,
  incarnation: number,
): AppendDecision {
  if (stream.closed) return { kind: 'answer', result: answerClosed(stream, command, incarnation) }
  if (command.body !== null && command.mediaType !== stream.mediaType) {
    fail('content_type_mismatch', { detail: `the stream holds ${stream.mediaType}` })
  }
  if (command.producer !== null) {
    // Before Stream-Seq: a retried request that carries both is a duplicate, not a conflict.
    const verdict = decideProducer(progress, command.producer)
    if (verdict.kind === 'duplicate') {
      const { epoch, seq } = verdict
      return { kind: 'answer', result: { kind: 'duplicate', tail: stream.tail, closed: false, producer: { epoch, seq } } }
    }
  }
  if (command.seq !== null && stream.seq !== null && !sequenceAfter(command.seq, stream.seq)) {
    fail('sequence_conflict', { detail: 'Stream-Seq must grow' })
  }
  if (command.body === null) return { kind: 'write', bytes: noBytes }
  if (command.body.kind === 'refused') throw command.body.refusal
  return { kind: 'write', bytes: command.body.bytes }
}

/** Byte-wise order of the UTF-8 forms. (§5.2, Stream-Seq) */
function sequenceAfter(next: string, last: string): boolean {
  return Buffer.compare(Buffer.from(next), Buffer.from(last)) > 0
}

function answerClosed(
  stream: Pick<StreamState, 'tail' | 'closedBy'>,
  command: AppendCommand,
  incarnation: number,
): AppendResult {
  const { producer } = command
  const by = stream.closedBy
  if (producer !== null && by !== null && by.id === producer.id && by.epoch === producer.epoch && by.seq === producer.seq) {
    return { kind: 'duplicate', tail: stream.tail, closed: true, producer: { epoch: by.epoch, seq: by.seq } }
  }
  if (producer === null && command.body === null && command.closes) {
    return { kind: 'closed', tail: stream.tail, closed: true, producer: null }
  }
  return fail('stream_closed', { tail: formatOffset({ incarnation, at: stream.tail }) })
}
