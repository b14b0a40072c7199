/** The form of programs and their results on the way between threads: one piece of shared memory a group, and each statement's text sent once. */
import { must } from '../../lib/assert.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Param, Program, ProgramResult, Step } from '../../storage/program.ts'
import type { ProgramOutcome } from '../../storage/program-runner.ts'
import { firstFreeTag, WireReader, WireWriter } from './wire-buffer.ts'

/** Texts that both sides remember; when there are more they begin anew. */
const textsMax = 4096

/** A view of memory that is written again with the next one. */
export type WireBytes = Uint8Array

export interface DecodedGroup {
  readonly programs: readonly Program[]
  /** Roughly what its values take. */
  readonly bytes: number
}

const kinds = ['run', 'expect', 'match', 'stopAt'] as const
const kindNumbers: Readonly<Record<Step['kind'], number>> = { run: 0, expect: 1, match: 2, stopAt: 3 }
/** In place of a value: the rows of earlier steps. */
const rowsOfTag = firstFreeTag

/** Writes groups. One must be run and answered before the next is encoded: both are in the same memory. */
export class ProgramEncoder {
  readonly #out = new WireWriter()
  #numbers = new Map<string, number>()

  encode(programs: readonly Program[], bytes: number): WireBytes {
    const out = this.#out
    out.begin()
    const forget = this.#numbers.size >= textsMax
    if (forget) this.#numbers = new Map()
    out.u8(forget ? 1 : 0)
    out.f64(bytes)
    out.u32(programs.length)
    for (const { steps } of programs) {
      out.u32(steps.length)
      for (const step of steps) this.#step(step)
    }
    return out.end()
  }

  #step(step: Step): void {
    const out = this.#out
    out.u8(kindNumbers[step.kind])
    this.#sql(step.sql)
    if (step.kind === 'run') out.u32(step.atLeast)
    else if (step.kind === 'match') {
      out.u32(step.tags.length)
      for (const tag of step.tags) out.value(tag) // whatever a client sent
    }
    out.u32(step.params.length)
    for (const param of step.params) writeParam(out, param)
  }

  /** A text that is new follows its number. */
  #sql(sql: string): void {
    const known = this.#numbers.get(sql)
    if (known !== undefined) return this.#out.u32(known)
    const number = this.#numbers.size
    this.#numbers.set(sql, number)
    this.#out.u32(number)
    this.#out.text(sql)
  }
}

function writeParam(out: WireWriter, param: Param): void {
  if (param === null || typeof param !== 'object' || !('rowsOf' in param)) return out.value(param)
  out.u8(rowsOfTag)
  out.u32(param.rowsOf.length)
  for (const step of param.rowsOf) out.u32(step)
}

export class ProgramDecoder {
  #texts: string[] = []

  /** Blobs are views: they are good until the group is answered. */
  decode(group: WireBytes): DecodedGroup {
    const from = new WireReader(group, 'shared')
    if (from.u8() === 1) this.#texts = []
    const bytes = from.f64()
    const programs = listOf(from, () => ({ steps: listOf(from, () => this.#step(from)) }))
    return { programs, bytes }
  }

  #step(from: WireReader): Step {
    const kind = must(kinds[from.u8()], 'a step has a kind')
    const sql = this.#sql(from)
    switch (kind) {
      case 'run': {
        const atLeast = from.u32()
        return { kind, sql, params: paramsOf(from), atLeast }
      }
      case 'match': {
        const tags = listOf(from, () => String(from.value(from.u8())))
        return { kind, sql, params: paramsOf(from), tags }
      }
      default:
        return { kind, sql, params: paramsOf(from) }
    }
  }

  #sql(from: WireReader): string {
    const number = from.u32()
    if (number === this.#texts.length) this.#texts.push(from.text())
    return must(this.#texts[number], 'the text of a statement came before it')
  }
}

function paramsOf(from: WireReader): Param[] {
  const params: Param[] = []
  for (let left = from.u32(); left > 0; left--) {
    const tag = from.u8()
    params.push(tag === rowsOfTag ? { rowsOf: listOf(from, () => from.u32()) } : from.value(tag))
  }
  return params
}

function listOf<Item>(from: WireReader, next: () => Item): Item[] {
  const items: Item[] = []
  for (let left = from.u32(); left > 0; left--) items.push(next())
  return items
}

/** How a program ended. */
const endings = { ok: 0, stopped: 1, unmet: 2, problem: 3, full: 4, busy: 5 } as const

/** Writes outcomes; the next group must not be run before they are decoded. */
export class OutcomeEncoder {
  readonly #out = new WireWriter()

  encode(outcomes: readonly ProgramOutcome[]): WireBytes {
    const out = this.#out
    out.begin()
    for (const outcome of outcomes) {
      if (outcome.ok === true) this.#success(outcome)
      else if (outcome.ok === null) {
        out.u8(endings[outcome.why])
        out.text(outcome.message)
      } else this.#failure(outcome)
    }
    return out.end()
  }

  #success({ txn, rows, changes, stoppedAt }: ProgramResult & { readonly ok: true }): void {
    const out = this.#out
    out.u8(stoppedAt === null ? endings.ok : endings.stopped)
    if (stoppedAt !== null) out.u32(stoppedAt)
    out.f64(txn)
    out.u32(rows.length)
    for (const [step, ofStep] of rows.entries()) {
      out.u32(changes[step] ?? 0)
      out.u32(ofStep.length)
      for (const row of ofStep) {
        out.u32(row.length)
        for (const value of row) out.value(value)
      }
    }
  }

  #failure({ step, why }: ProgramResult & { readonly ok: false }): void {
    const out = this.#out
    out.u8(why === 'unmet' ? endings.unmet : endings.problem)
    out.u32(step)
    if (why === 'unmet') return
    out.f64(why.errno)
    out.text(why.message)
  }
}

/** `count` outcomes, in the order of their programs. */
export function decodeOutcomes(bytes: WireBytes, count: number): ProgramOutcome[] {
  const from = new WireReader(bytes, 'copied')
  const outcomes: ProgramOutcome[] = []
  while (outcomes.length < count) outcomes.push(outcomeOf(from))
  return outcomes
}

function outcomeOf(from: WireReader): ProgramOutcome {
  const ending = from.u8()
  switch (ending) {
    case endings.ok:
      return successOf(from, null)
    case endings.stopped:
      return successOf(from, from.u32())
    case endings.unmet:
      return { ok: false, step: from.u32(), why: 'unmet' }
    case endings.problem:
      return { ok: false, step: from.u32(), why: { errno: from.f64(), message: from.text() } }
    default:
      return { ok: null, why: ending === endings.full ? 'full' : 'busy', message: from.text() }
  }
}

function successOf(from: WireReader, stoppedAt: number | null): ProgramOutcome {
  const txn = from.f64()
  const rows: (readonly SqlRow[])[] = []
  const changes: number[] = []
  for (let left = from.u32(); left > 0; left--) {
    changes.push(from.u32())
    rows.push(rowsFrom(from))
  }
  return { ok: true, txn, rows, changes, stoppedAt }
}

const noRows: readonly SqlRow[] = []

function rowsFrom(from: WireReader): readonly SqlRow[] {
  const count = from.u32()
  if (count === 0) return noRows
  const rows: SqlRow[] = []
  while (rows.length < count) {
    const row: SqlValue[] = []
    for (let left = from.u32(); left > 0; left--) row.push(from.value(from.u8()))
    rows.push(row)
  }
  return rows
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
