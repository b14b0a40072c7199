/** docs/cli.md, made from the commands themselves. */
import type { Command } from 'commander'
import type { ConfigInputs } from '../ops/config.ts'
import { commands } from './commands.ts'
import { createProgram } from './program.ts'
import type { Io } from './io.ts'
import type { Product } from './product.ts'

/** The reference page of the command line, as Markdown. */
export function cliReference(): string {
  const pages = allBelow(commandTree()).map(command => `## ${titleOf(command)}\n\n\`\`\`\n${helpOf(command).trim()}\n\`\`\`\n`)
  return `${head}\n${pages.join('\n')}`
}

const head = `<!-- Made by \`bun run docs\` from src/cli; do not edit. -->
# The command line

Every command takes \`--help\`, which shows examples, and nearly every one takes \`--json\`, which makes its output one JSON value
(\`stream ls\` and \`stream tail\`: one a line) and its errors \`{"error":{"message","remedy","exit_code"}}\` on stderr.

| Exit code | Meaning |
|---|---|
| 0 | done |
| 1 | it failed while running: refused, not reachable, damaged, not healthy |
| 2 | the command line is wrong |
| 73 | a file cannot be created |
| 74 | input or output failed |
| 75 | something is busy: the port is taken, or another server holds the depot |
| 77 | not permitted: a port below 1024 |
| 78 | the configuration is wrong |

Colours are left out when \`NO_COLOR\` is set or stderr is no terminal; questions and progress bars appear on a terminal only.

\`stream\` commands go to the server that runs on the depot (through its control socket, as the operator), to the depot itself when no
server runs on it, or with \`--url\` to any server of the Durable Streams protocol, with \`HEADWATER_TOKEN\` as the bearer token. \`sql\`, \`import\`, \`export\`,
\`schema\` and \`openapi\` work on the records of a depot in the first two ways.
`

const unused = () => Promise.reject(new Error('the reference page runs no command'))
const noProduct: Product = { serve: unused, open: unused, check: unused }
const noInputs: ConfigInputs = { flags: {}, env: {}, readFile: () => null, cwd: '/' }
const noTerminal: Io = {
  cwd: '/',
  stdinIsTerminal: false,
  stdoutIsTerminal: false,
  stderrIsTerminal: false,
  hasColors: false,
  out: async () => {},
  err: () => {},
  stdin: () => new Blob([]).stream(),
}

function commandTree(): Command {
  return createProgram({ io: noTerminal, product: noProduct, inputs: noInputs }, false, commands).program
}

function allBelow(command: Command): readonly Command[] {
  return [command, ...command.commands.filter(child => child.name() !== 'help').flatMap(allBelow)]
}

function titleOf(command: Command): string {
  return command.parent === null ? command.name() : `${titleOf(command.parent)} ${command.name()}`
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: part => void (text += part), getOutHelpWidth: () => 110, getOutHasColors: () => false })
  command.outputHelp()
  return text
}
