/** How results and errors look on the terminal. */
import { OperatorError, Refusal, catalogue } from '../lib/errors.ts'
import { exitFailed } from './context.ts'
import { plain, type Io } from './io.ts'

/** One JSON value on a line of its own. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

/** `rows` under `heads` in aligned columns; columns in `rightAligned` are numbers. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], rightAligned: readonly number[]): string {
  const all = [heads, ...rows.map(row => row.map(plain))]
  const widths = heads.map((_, column) => Math.max(...all.map(row => Bun.stringWidth(row[column] ?? ''))))
  const lines = all.map(row => row.map((cell, column) => align(cell, widths[column] ?? 0, rightAligned.includes(column))).join('  '))
  return `${lines.map(line => line.trimEnd()).join('\n')}\n`
}

/** 1536 → `1.5 KiB`. */
export function humanBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** Tells the person or program what went wrong and what helps. Returns the exit code. */
export function reportError(io: Io, error: unknown, isJson: boolean): number {
  const { message, remedy, exitCode } = describe(error)
  if (isJson) io.err(jsonLine({ error: { message, remedy, exit_code: exitCode } }))
  else {
    const label = io.hasColors ? '\u001b[31merror:\u001b[39m' : 'error:'
    io.err(`${label} ${indent(plain(message))}\n${remedy === '' ? '' : `  ${indent(plain(remedy))}\n`}`)
  }
  return exitCode
}

function align(text: string, width: number, isRight: boolean): string {
  const space = ' '.repeat(Math.max(0, width - Bun.stringWidth(text)))
  return isRight ? space + text : text + space
}

function describe(error: unknown): { message: string; remedy: string; exitCode: number } {
  if (error instanceof OperatorError) return { message: error.message, remedy: error.remedy, exitCode: error.exitCode }
  if (error instanceof Refusal) return { message: refusalText(error), remedy: '', exitCode: exitFailed }
  if (error instanceof Error) return { message: error.stack ?? error.message, remedy: '', exitCode: exitFailed }
  return { message: String(error), remedy: '', exitCode: exitFailed }
}

function refusalText(refusal: Refusal): string {
  const details: { readonly detail?: string } = refusal.details
  return `${catalogue[refusal.code].title}${details.detail === undefined ? '' : `: ${details.detail}`}`
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n  ')
}
