/** What the HTTP thread and the threads of the record databases say to each other. */
import type { DetailsOf, ErrorCode } from '../../lib/errors.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import type { Unrun } from '../../storage/program-runner.ts'
import type { StatementProblem } from '../../storage/sqlite-errors.ts'
import type { ConnectionPlan } from './connection.ts'
import type { FinishSpec } from './finish.ts'
import type { FunctionSettings } from '../functions/register.ts'
import type { RowLimits } from './row-reader.ts'
import type { WireBytes } from './wire.ts'

/** What a thread needs to open its connection. */
export interface ThreadSettings {
  readonly plan: ConnectionPlan
  readonly functions: FunctionSettings
}

export type ToWriter =
  | { readonly kind: 'open'; readonly settings: ThreadSettings }
  | { readonly kind: 'group'; readonly number: number; readonly group: WireBytes }
  | { readonly kind: 'exclusive'; readonly number: number; readonly scripts: readonly Script[]; readonly transaction: boolean }
  | { readonly kind: 'reopen'; readonly settings: ThreadSettings }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'close' }

export type FromWriter =
  | { readonly kind: 'opened' }
  /** There was no room to open the file; `open` may be said again. */
  | { readonly kind: 'unopened'; readonly message: string }
  | { readonly kind: 'reopened' }
  | { readonly kind: 'done'; readonly number: number; readonly outcomes: WireBytes; readonly committed: number | null }
  | { readonly kind: 'excluded'; readonly number: number; readonly outcome: ExclusiveOutcome | Unrun }
  | { readonly kind: 'walGrown' }
  | { readonly kind: 'closed' }
  | ThreadFailure

export type ToReader =
  | { readonly kind: 'open'; readonly functions: FunctionSettings }
  | ({ readonly kind: 'read'; readonly id: number; readonly plan: ConnectionPlan; readonly statements: readonly Statement[]; readonly finish: FinishSpec | null } & RowLimits)
  | { readonly kind: 'close' }

export type FromReader =
  | { readonly kind: 'ready' }
  | { readonly kind: 'rows'; readonly id: number; readonly rows: readonly (readonly SqlRow[])[]; readonly columns: readonly (readonly string[])[] }
  | { readonly kind: 'text'; readonly id: number; readonly text: string }
  | { readonly kind: 'late'; readonly id: number }
  | { readonly kind: 'denied'; readonly id: number; readonly code: ErrorCode; readonly details: DetailsOf<ErrorCode> }
  | { readonly kind: 'failed'; readonly id: number; readonly problem: StatementProblem; readonly stack: string }
  | { readonly kind: 'closed' }
  | ThreadFailure

/** `refused`: an operator must mend it. `fatal`: the process ends. */
export type ThreadFailure =
  | { readonly kind: 'refused'; readonly message: string; readonly remedy: string; readonly exitCode: number }
  | { readonly kind: 'fatal'; readonly message: string }

/** SQL for `RecordStore.exclusive`: without `params` any number of statements, otherwise one. */
export interface Script {
  readonly sql: string
  readonly params: readonly (null | bigint | number | string | Uint8Array)[]
}

/** What a script left: the rows of its last statement that returns rows. */
export interface ScriptResult {
  readonly columns: readonly string[]
  readonly rows: readonly SqlRow[]
  readonly changes: number
}

/** `txn` is null when it ran outside of a transaction. */
export type ExclusiveOutcome =
  | { readonly ok: true; readonly txn: number | null; readonly results: readonly ScriptResult[] }
  | { readonly ok: false; readonly script: number; readonly problem: StatementProblem }
