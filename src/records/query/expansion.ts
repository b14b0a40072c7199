/**
 * The statement of a page with the rows that its records bring along: the page is materialized once, and every expanded relation is one more part
 * ("arm") of the same statement that looks its rows up by what the part before it found. So no query runs per record.
 */
import { qualified, quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'
import type { ExpandTarget } from '../record-api.ts'
import { type FieldSpec, renderingOf } from '../row-json.ts'
import { expandChildrenMax, expandRowsMax } from './limits.ts'
import { refuseExpansion } from './refuse.ts'
import { Selection } from './selection.ts'

/** What forms the texts of an arm. Rows of arm i begin with i + 1 (the page is 0), then the value that links them. */
export interface ArmSpec {
  readonly fields: readonly FieldSpec[]
  readonly collation: string
}

export interface Arm {
  readonly spec: ArmSpec
  readonly sql: string
  readonly width: number
}

/** A condition of `target`'s read rule on rows aliased `_ROW_`, or null when every row may be shown. */
export type TargetRule = (target: ExpandTarget) => string | null

type Targets = ReadonlyMap<string, ExpandTarget>

/** Positions in a row of an arm: its number, the link, then the columns. */
const armFirst = 2

/** Builds arms: the page first, deeper ones behind those they hang on. */
export class Expansion {
  readonly arms: Arm[] = []
  readonly #rule: TargetRule

  constructor(rule: TargetRule) {
    this.#rule = rule
  }

  /**
   * The fields of a record with `columns`, its foreign keys as objects where `targets` says so, and the arms for those of `wanted` (`a` or `a.b`).
   * `source` is the part that holds the rows. Refuses `invalid_query`.
   */
  fields(columns: readonly Column[], targets: Targets, wanted: readonly string[], selection: Selection, source: string): readonly FieldSpec[] {
    const paths = grouped(wanted, targets)
    const own = columns.map((column): FieldSpec => {
      const target = parentOf(targets, column)
      const deeper = target === undefined ? undefined : paths.get(target)
      const index = selection.add(column)
      const arm = target === undefined || deeper === undefined ? null : this.#arm(target, deeper, index, source)
      return { name: column.name, index, rendering: renderingOf(column), expand: target === undefined ? null : { kind: 'parent', arm } }
    })
    const children = [...paths].filter(([target]) => target.kind === 'children')
    return [...own, ...children.map(([target, deeper]) => this.#children(target, deeper, selection, source))]
  }

  #children(target: ExpandTarget, deeper: readonly string[], selection: Selection, source: string): FieldSpec {
    const index = selection.add(target.column)
    return { name: target.name, index, rendering: 'plain', expand: { kind: 'children', arm: this.#arm(target, deeper, index, source) } }
  }

  /** Adds the arm of `target`, whose rows the column at `index` of `source` names, and gives its number. */
  #arm(target: ExpandTarget, deeper: readonly string[], index: number, source: string): number {
    const number = this.arms.length
    const name = armName(number)
    const selection = new Selection(armFirst)
    const placeholder: Arm = { spec: { fields: [], collation: target.via.collation }, sql: '', width: 0 }
    this.arms.push(placeholder)
    const fields = this.fields(target.visible, target.next, deeper, selection, name)
    const columns = [`${number + 1}`, `_ROW_.${quoted(target.via.name)}`, selection.sql('_ROW_')].join(', ')
    const body = target.kind === 'parent' ? this.#parentSql(target, columns, index, source) : this.#childrenSql(target, columns, index, source)
    const sql = `${name}(${positions(selection.width)}) AS MATERIALIZED (${body})`
    this.arms[number] = { spec: { fields, collation: target.via.collation }, sql, width: selection.width }
    return number
  }

  #parentSql(target: ExpandTarget, columns: string, index: number, source: string): string {
    const from = `${qualified(target.relation.database, target.relation.name)} AS _ROW_`
    const links = `_ROW_.${quoted(target.via.name)} IN (SELECT c${index} FROM ${source})`
    return `SELECT ${columns} FROM ${from} WHERE ${links} AND _deadline()${this.#and(target)}`
  }

  /** The newest children of each record: the inner query ends at the limit, so that with an index on the foreign key a record with many costs no more. */
  #childrenSql(target: ExpandTarget, columns: string, index: number, source: string): string {
    const from = qualified(target.relation.database, target.relation.name)
    const key = target.relation.key.map(column => `_ROW_.${quoted(column.name)}`)
    const down = key.map(each => `${each} DESC`).join(', ')
    const newest =
      `SELECT ${key.join(', ')} FROM ${from} AS _ROW_ WHERE _ROW_.${quoted(target.via.name)} = hw_of.link AND _deadline()${this.#and(target)}` +
      ` ORDER BY ${down} LIMIT ${expandChildrenMax}`
    const linked = `(SELECT DISTINCT c${index} AS link FROM ${source} WHERE c${index} IS NOT NULL) AS hw_of`
    // One more than allowed tells that there are too many (list-body.ts); LIMIT also keeps SQLite from leaving out the order of a part.
    return `SELECT ${columns} FROM ${linked} CROSS JOIN ${from} AS _ROW_ WHERE (${key.join(', ')}) IN (${newest}) ORDER BY ${down} LIMIT ${expandRowsMax + 1}`
  }

  #and(target: ExpandTarget): string {
    const rule = this.#rule(target)
    return rule === null ? '' : ` AND (${rule})`
  }
}

/** The targets of `wanted`, each with the names wanted behind it. */
function grouped(wanted: readonly string[], targets: Targets): ReadonlyMap<ExpandTarget, readonly string[]> {
  const paths = new Map<ExpandTarget, readonly string[]>()
  for (const text of wanted) {
    const exact = targets.get(text)
    const dot = text.indexOf('.')
    const target = exact ?? (dot === -1 ? undefined : targets.get(text.slice(0, dot)))
    if (target === undefined) return refuseExpansion(`"${text}" cannot be expanded`)
    const deeper = exact === undefined ? [text.slice(dot + 1)] : []
    paths.set(target, [...(paths.get(target) ?? []), ...deeper])
  }
  return paths
}

function parentOf(targets: Targets, column: Column): ExpandTarget | undefined {
  const target = targets.get(column.name)
  return target?.kind === 'parent' ? target : undefined
}

export const pageName = 'hw_page'

function armName(number: number): string {
  return `hw_arm${number}`
}

function positions(width: number): string {
  return Array.from({ length: width }, (_, i) => `c${i}`).join(', ')
}

/** `page`, a SELECT whose first column is the constant 0, with `arms` as one statement. Rows tell by their first column where they belong. */
export function withArms(page: string, width: number, arms: readonly Arm[]): string {
  const widest = Math.max(width, ...arms.map(arm => arm.width))
  const parts = [`${pageName}(${positions(width)}) AS MATERIALIZED (${page})`, ...arms.map(arm => arm.sql)]
  const rows = [{ name: pageName, width }, ...arms.map((arm, i) => ({ name: armName(i), width: arm.width }))].map(part => {
    return `SELECT ${[positions(part.width), ...Array.from({ length: widest - part.width }, (_, i) => `NULL AS c${part.width + i}`)].join(', ')} FROM ${part.name}`
  })
  return `WITH ${parts.join(', ')} ${rows.join(' UNION ALL ')}`
}
