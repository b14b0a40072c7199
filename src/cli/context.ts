/** What every command gets: the terminal, the rest of the product, time and identity. */
import type { Command } from 'commander'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { ConfigInputs } from '../ops/config.ts'
import type { Io } from './io.ts'
import type { Product } from './product.ts'

export interface Context {
  readonly io: Io
  readonly product: Product
  readonly clock: Clock
  readonly ids: Ids
  /** Where configuration comes from, flags aside: each command adds its own. */
  readonly inputs: ConfigInputs
  /** Flags that stood before the command. */
  readonly globalFlags: () => object
  /** Makes a commander action of a function that returns its exit code. */
  readonly action: <Args extends unknown[]>(run: (...args: Args) => Promise<number>) => (...args: Args) => Promise<void>
}

/** Adds one command to the program. */
export type AddCommand = (program: Command, context: Context) => void

/** Adds examples to the end of the help of `command`, one command line and what it does each. */
export function addExamples(command: Command, examples: readonly (readonly [line: string, what: string])[]): void {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, what]) => `  ${line.padEnd(width)}  # ${what}`)
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

export const exitOk = 0
export const exitFailed = 1
export const exitUsage = 2
