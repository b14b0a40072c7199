/** The form of programs and their results on the way between threads: flat arrays, and each statement's text sent once. */
import { must } from '../../lib/assert.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Param, Program, Step } from '../../storage/program.ts'
import type { ProgramOutcome, Unrun } from '../../storage/program-runner.ts'

/** Texts that both sides remember; when there are more they begin anew. */
const textsMax = 4096

export interface WireGroup {
  /** Both sides forget the texts that they know. */
  readonly forget: boolean
  /** Texts that this group uses first, numbered on from those before. */
  readonly texts: readonly string[]
  /** For each program its steps: kind, number of the text, `atLeast` or tags, values. */
  readonly programs: readonly (readonly WireField[])[]
  readonly bytes: number
}

type WireField = number | readonly string[] | readonly Param[]

/** txn, stoppedAt, rows, changes; or how it failed. */
export type WireOutcome =
  | WireSuccess
  | (ProgramOutcome & { readonly ok: false })
  | Unrun

type WireSuccess = readonly [number, number | null, readonly (readonly SqlRow[])[], readonly number[]]

const kinds = ['run', 'expect', 'match', 'stopAt'] as const
const kindNumbers: Readonly<Record<Step['kind'], number>> = { run: 0, expect: 1, match: 2, stopAt: 3 }
const fieldsPerStep = 4

export class ProgramEncoder {
  #numbers = new Map<string, number>()

  encode(programs: readonly Program[], bytes: number): WireGroup {
    const forget = this.#numbers.size >= textsMax
    if (forget) this.#numbers = new Map()
    const texts: string[] = []
    return { forget, texts, bytes, programs: programs.map(program => this.#program(program, texts)) }
  }

  #program(program: Program, texts: string[]): WireField[] {
    const fields: WireField[] = []
    for (const step of program.steps) {
      fields.push(kindNumbers[step.kind], this.#number(step.sql, texts), step.kind === 'run' ? step.atLeast : step.kind === 'match' ? step.tags : 0, step.params.map(own))
    }
    return fields
  }

  #number(sql: string, texts: string[]): number {
    const known = this.#numbers.get(sql)
    if (known !== undefined) return known
    const number = this.#numbers.size
    this.#numbers.set(sql, number)
    texts.push(sql)
    return number
  }
}

/** A view of a larger buffer would be sent with all of it. */
function own(param: Param): Param {
  return param instanceof Uint8Array && param.byteLength !== param.buffer.byteLength ? Uint8Array.from(param) : param
}

export class ProgramDecoder {
  #texts: string[] = []

  decode(group: WireGroup): readonly Program[] {
    if (group.forget) this.#texts = []
    this.#texts.push(...group.texts)
    return group.programs.map(fields => {
      const steps: Step[] = []
      for (let at = 0; at < fields.length; at += fieldsPerStep) steps.push(this.#step(fields, at))
      return { steps }
    })
  }

  #step(fields: readonly WireField[], at: number): Step {
    const kind = must(kinds[fields[at] as number], 'a step has a kind')
    const sql = must(this.#texts[fields[at + 1] as number], 'the text of a statement came before it')
    const params = fields[at + 3] as readonly Param[]
    if (kind === 'run') return { kind, sql, params, atLeast: fields[at + 2] as number }
    if (kind === 'match') return { kind, sql, params, tags: fields[at + 2] as readonly string[] }
    return { kind, sql, params }
  }
}

export function encodeOutcome(outcome: ProgramOutcome): WireOutcome {
  return outcome.ok === true ? [outcome.txn, outcome.stoppedAt, outcome.rows, outcome.changes] : outcome
}

export function decodeOutcome(outcome: WireOutcome): ProgramOutcome {
  if (!isSuccess(outcome)) return outcome
  return { ok: true, txn: outcome[0], stoppedAt: outcome[1], rows: outcome[2], changes: outcome[3] }
}

function isSuccess(outcome: WireOutcome): outcome is WireSuccess {
  return Array.isArray(outcome)
}

/** Roughly what a program takes in a queue and in the log. */
export function programBytes(program: Program): number {
  let bytes = 256
  for (const { params } of program.steps) {
    for (const param of params) {
      if (typeof param === 'string') bytes += param.length
      else if (param instanceof Uint8Array) bytes += param.byteLength
    }
  }
  return bytes
}
