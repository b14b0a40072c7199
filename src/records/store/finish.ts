/** Forms the body of an answer from rows, in the thread that read them. Which forms there are; making them is query/. */
import type { SqlRow } from '../../lib/sql-value.ts'
import { formList, type ListSpec } from '../query/list-body.ts'

/** Plain data: what to make of the rows of all statements of a request. */
export interface FinishSpec {
  readonly kind: 'list'
  readonly spec: ListSpec
}

export function finish({ spec }: FinishSpec, rows: readonly (readonly SqlRow[])[]): string {
  return formList(spec, rows)
}
