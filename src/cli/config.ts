/** `headwater config check` and `config print`: the configuration as the server would run with it. Reading it is ops/config.ts. */
import { printedJson, printedList, printedTree } from '../ops/config-print.ts'
import { loadConfig, type ConfigInputs, type LoadedConfig } from '../ops/config.ts'
import { printTextproto } from '../ops/textproto-printer.ts'

/** Where the two commands write; a terminal's `Io` fits. */
export interface ConfigIo {
  out(text: string): Promise<void>
  err(text: string): void
}

export interface CheckOptions {
  readonly json?: boolean
}

export interface PrintOptions {
  readonly json?: boolean
  /** Say for each value where it comes from. */
  readonly origin?: boolean
}

/** Reads and checks the configuration without starting. Resolves to 0; a bad one is an `OperatorError` (78) that lists every problem. */
export async function configCheck(io: ConfigIo, inputs: ConfigInputs, options: CheckOptions = {}): Promise<number> {
  const loaded = loadConfig(inputs)
  if (options.json === true) {
    await io.out(`${JSON.stringify({ ok: true, file: loaded.file, warnings: loaded.warnings })}\n`)
    return 0
  }
  warn(io, loaded)
  await io.out(`The configuration is fine (${loaded.file ?? 'no config file; defaults, environment and flags'}).\n`)
  return 0
}

/**
 * Prints every option that has a value, as text format that reads back, or as JSON. Secrets are masked: in the text format
 * their line is a comment. Resolves to 0; a bad configuration is an `OperatorError` (78).
 */
export async function configPrint(io: ConfigIo, inputs: ConfigInputs, options: PrintOptions = {}): Promise<number> {
  const loaded = loadConfig(inputs)
  const { values, origins } = loaded
  if (options.json === true) {
    const json = options.origin === true ? printedList(values, origins) : printedJson(values)
    await io.out(`${JSON.stringify(json, null, 2)}\n`)
    return 0
  }
  warn(io, loaded)
  await io.out(printTextproto(printedTree(values, options.origin === true ? origins : null)))
  return 0
}

function warn(io: ConfigIo, loaded: LoadedConfig): void {
  for (const warning of loaded.warnings) io.err(`warning: ${warning}\n`)
}
