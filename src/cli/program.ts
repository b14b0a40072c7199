/** All commands under one program, and the way from arguments to an exit code. Each command is a file of its own. */
import { Command, CommanderError } from 'commander'
import { build } from '../lib/build.ts'
import { systemClock } from '../lib/clock.ts'
import { OperatorError } from '../lib/errors.ts'
import { systemIds } from '../lib/ids.ts'
import type { ConfigInputs } from '../ops/config.ts'
import { addGlobalFlags } from './configured.ts'
import { addExamples, exitOk, exitUsage, type AddCommand, type Context } from './context.ts'
import type { Io } from './io.ts'
import { reportError } from './output.ts'
import type { Product } from './product.ts'
import { addServe } from './serve.ts'

export interface ProgramOptions {
  readonly io: Io
  readonly product: Product
  readonly inputs: ConfigInputs
}

/** Runs the command that `argv` (without the program) names. Resolves to the exit code: 0, 1 runtime, 2 usage, 78 configuration. */
export async function runProgram(argv: readonly string[], options: ProgramOptions): Promise<number> {
  const isJson = argv.includes('--json')
  const { program, outcome } = createProgram(options, isJson, await commandsFor(argv[0]))
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) outcome.code = reportError(options.io, error, isJson)
    // Help that was asked for is a success; everything else that commander ends is a usage error, which it has told people.
    else if (error.exitCode !== 0) outcome.code = isJson ? reportError(options.io, usageError(error), true) : exitUsage
  }
  await Promise.all(outcome.printed)
  return outcome.code
}

/** A server starts without what the other commands load. */
async function commandsFor(name: string | undefined): Promise<readonly AddCommand[]> {
  return name === 'serve' || name === 'run' ? [addServe] : (await import('./commands.ts')).commands
}

interface Outcome {
  code: number
  readonly printed: Promise<void>[]
}

/** The program with these commands; also what the reference page and the completions are made from. */
export function createProgram(options: ProgramOptions, isJson: boolean, commands: readonly AddCommand[]): { readonly program: Command; readonly outcome: Outcome } {
  const outcome: Outcome = { code: exitOk, printed: [] }
  const program = new Command('headwater')
  const context: Context = {
    ...options,
    globalFlags: () => program.opts(),
    clock: systemClock,
    ids: systemIds,
    action: run =>
      async (...args) => {
        outcome.code = await run(...args)
      },
  }
  program
    .description('A complete Durable Streams server in one executable')
    .version(`headwater ${build.version}`, '-V, --version', 'print the version')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: text => void outcome.printed.push(options.io.out(text)),
      writeErr: text => (isJson ? undefined : options.io.err(text)),
      outputError: (text, write) => write(options.io.hasColors ? text.replace(/^error:/, '\u001b[31merror:\u001b[39m') : text),
    })
    .showHelpAfterError('(--help shows what there is, with examples)')
  addGlobalFlags(program)
  for (const add of commands) add(program, context)
  addExamples(program, [
    ['headwater serve', 'run the server on 127.0.0.1:4437 with its data in ./depot'],
    ['headwater stream --help', 'work with streams from the shell'],
    ['headwater config print --origin', 'what is configured, and where it comes from'],
  ])
  return { program, outcome }
}

function usageError(error: CommanderError): OperatorError {
  return new OperatorError(error.message.replace(/^error: /, ''), '--help shows what there is, with examples.', exitUsage)
}
