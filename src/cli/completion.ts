/** `headwater completion`: shell scripts that complete commands and flags, made from the commands themselves. */
import { Argument, type Command } from 'commander'
import { addExamples, exitOk, type Context } from './context.ts'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

export function addCompletion(program: Command, context: Context): void {
  const command = program
    .command('completion')
    .description('Print a script that completes commands and flags in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .action(
      context.action(async (shell: Shell) => {
        await context.io.out(completionScript(program, shell))
        return exitOk
      }),
    )
  addExamples(command, [
    ['source <(headwater completion bash)', 'for this bash'],
    ['headwater completion zsh > "${fpath[1]}/_headwater"', 'for every new zsh'],
    ['headwater completion fish > ~/.config/fish/completions/headwater.fish', 'for every new fish'],
  ])
}

/** The completion script of `program` for `shell`. */
export function completionScript(program: Command, shell: Shell): string {
  const words = wordsOf(program)
  if (shell === 'bash') return bashScript(words)
  if (shell === 'zsh') return `#compdef headwater\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(words)}`
  return fishScript(words)
}

interface Words {
  /** The command line up to here without the program's name: `stream ls`; empty for the program itself. */
  readonly path: string
  readonly description: string
  readonly commands: readonly string[]
  readonly flags: readonly { readonly long: string; readonly takesValue: boolean; readonly description: string; readonly choices: readonly string[] }[]
  readonly takesFiles: boolean
}

function wordsOf(command: Command, path = ''): readonly Words[] {
  const children = command.commands.filter(child => child.name() !== 'help')
  const own: Words = {
    path,
    description: command.description(),
    commands: children.flatMap(child => [child.name(), ...child.aliases()]),
    flags: command
      .createHelp()
      .visibleOptions(command)
      .flatMap(option =>
        option.long === undefined
          ? []
          : [{ long: option.long, takesValue: option.required, description: option.description, choices: option.argChoices ?? [] }],
      ),
    takesFiles: command.registeredArguments.some(argument => /file/i.test(argument.name())),
  }
  const below = children.flatMap(child => [child.name(), ...child.aliases()].flatMap(name => wordsOf(child, `${path} ${name}`.trim())))
  return [own, ...below]
}

function bashScript(all: readonly Words[]): string {
  const commandCases = all.filter(words => words.commands.length > 0).map(words => `    '${words.path}') commands='${words.commands.join(' ')}' ;;`)
  const flagCases = all.map(words => `    '${words.path}') flags='${words.flags.map(flag => flag.long).join(' ')}' ;;`)
  const choices = new Map(all.flatMap(words => words.flags.filter(flag => flag.choices.length > 0).map(flag => [flag.long, flag.choices] as const)))
  const choiceCases = [...choices].map(([long, values]) => `    ${long}) COMPREPLY=($(compgen -W '${values.join(' ')}' -- "$word")); return ;;`)
  return `# Completion of headwater for bash. Made by: headwater completion bash
_headwater() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path='' commands='' flags='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    commands=$(_headwater_commands "$path")
    case " $commands " in *" \${COMP_WORDS[i]} "*) path="\${path:+$path }\${COMP_WORDS[i]}" ;; esac
  done
  case "$before" in
${choiceCases.join('\n')}
    --config | --file | --output | --depot) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  commands=$(_headwater_commands "$path")
  case "$path" in
${flagCases.join('\n')}
  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [[ -n "$commands" ]]; then COMPREPLY=($(compgen -W "$commands" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word")); fi
}
_headwater_commands() {
  local commands=''
  case "$1" in
${commandCases.join('\n')}
  esac
  printf '%s' "$commands"
}
complete -F _headwater headwater
`
}

function fishScript(all: readonly Words[]): string {
  const lines = ['# Completion of headwater for fish. Made by: headwater completion fish', 'complete -c headwater -f']
  for (const words of all) {
    const condition = conditionOf(words)
    for (const name of words.commands) {
      const child = all.find(other => other.path === `${words.path} ${name}`.trim())
      lines.push(`complete -c headwater -n '${condition}' -a '${name}' -d ${quoted(child?.description ?? '')}`)
    }
    for (const flag of words.flags) {
      const value = flag.choices.length > 0 ? ` -x -a '${flag.choices.join(' ')}'` : flag.takesValue ? ' -r' : ''
      lines.push(`complete -c headwater -n '${condition}' -l '${flag.long.slice(2)}'${value} -d ${quoted(flag.description)}`)
    }
    if (words.takesFiles) lines.push(`complete -c headwater -n '${condition}' -F`)
  }
  return `${lines.join('\n')}\n`
}

function conditionOf(words: Words): string {
  if (words.path === '') return '__fish_use_subcommand'
  const parts = words.path.split(' ').map(part => `__fish_seen_subcommand_from ${part}`)
  const notDeeper = words.commands.length > 0 ? `; and not __fish_seen_subcommand_from ${words.commands.join(' ')}` : ''
  return `${parts.join('; and ')}${notDeeper}`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
