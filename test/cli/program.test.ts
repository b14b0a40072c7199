/** The program as a whole: exit codes, help, suggestions, errors for programs, and completions. The reference page is scripts/docs.ts. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { headwater, temporaryDirectory } from '../support/cli.ts'
import { headwaterCommand, repository } from '../support/command.ts'

// Each command is a process; on a busy machine they take their time.
setDefaultTimeout(60_000)

const commands = [
  'serve', 'run', 'check', 'health', 'completion', 'version', 'config', 'config check', 'config print', 'migration', 'stream', 'stream ls',
  'stream create', 'stream append', 'stream tail', 'stream export', 'stream import', 'stream rm',
  'user', 'user add', 'user list', 'user mint', 'token', 'token mint',
]

describe('usage', () => {
  test('every command has help with examples on stdout, and exit code 0', async () => {
    const results = await Promise.all(commands.map(command => headwater([...command.split(' '), '--help'])))
    results.forEach(({ code, out, err }, i) => {
      expect(out, commands[i]).toContain('Examples:\n  ')
      expect({ code, err }, commands[i]).toEqual({ code: 0, err: '' })
    })
  })

  test('wrong command lines are exit code 2 with a suggestion on stderr and nothing on stdout', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['serv', 'Did you mean serve?'],
      ['stream apend', 'Did you mean append?'],
      ['serve --adress :1', 'Did you mean --address?'],
      ['stream ls --jsn', 'Did you mean --json?'],
      ['stream ls --limit 0', 'Expected a whole number of at least 1'],
      ['stream import x --on-conflict maybe', 'Allowed choices are fail, skip, replace'],
      ['completion tcsh', 'Allowed choices are bash, zsh, fish'],
      ['stream create', "missing required argument 'path'"],
      ['stream tail a --url ftp://x', 'expected http://HOST:PORT'],
      ['stream ls --url http://127.0.0.1:1', 'not by URL'],
      ['', 'Usage: headwater'],
    ]
    for (const [line, expected] of cases) {
      const { code, out, err } = await headwater(line.split(' ').filter(word => word !== ''))
      expect(err, line).toContain(expected)
      expect({ code, out }, line).toEqual({ code: 2, out: '' })
    }
  })

  test('with --json an error is one JSON object with a remedy', async () => {
    const cases = [
      { args: ['stream', 'tail', '--jso', '--json'], exit: 2 },
      { args: ['stream', 'tail', 'x', '--url', 'http://127.0.0.1:1', '--json'], exit: 1 },
      { args: ['config', 'check', '--storage', 'tape', '--json'], exit: 78 },
    ]
    for (const { args, exit } of cases) {
      const { code, out, err } = await headwater(args)
      expect({ code, out }).toEqual({ code: exit, out: '' })
      expect(JSON.parse(err)).toMatchObject({ error: { exit_code: exit, message: expect.any(String), remedy: expect.stringMatching(/./) } })
    }
  })

  test('no colours and no control characters when stderr is no terminal', async () => {
    const { err } = await headwater(['stream', 'import', 'no\u001b[31msuch'])
    expect(err).toContain('there is no file')
    expect(err).not.toContain('\u001b')
  })

  test('a pipe that is closed early is no error', async () => {
    const command = headwaterCommand().map(word => `'${word}'`).join(' ')
    const shell = Bun.spawn(['bash', '-c', `set -o pipefail; ${command} completion bash | head -c 1; exit \${PIPESTATUS[0]}`], { stdout: 'pipe', stderr: 'pipe' })
    expect(await new Response(shell.stderr).text()).toBe('')
    expect(await shell.exited).toBe(0)
  })
})

describe('version and health', () => {
  test('version names the build', async () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    expect((await headwater(['version'])).out).toStartWith(`headwater ${version} (`)
    expect(JSON.parse((await headwater(['version', '--json'])).out)).toMatchObject({ version, bun: Bun.version })
    expect((await headwater(['--version'])).out).toBe(`headwater ${version}\n`)
  })

  test('health of a server that does not run is exit code 1', async () => {
    using directory = temporaryDirectory()
    const { code, out } = await headwater(['health', '--ready', '--set', 'server.bind_address=127.0.0.1:1'], { cwd: directory.path })
    expect(code).toBe(1)
    expect(out).toStartWith('not ready: ')
    const json = await headwater(['health', '--json', '--url', 'http://127.0.0.1:1'])
    expect(JSON.parse(json.out)).toMatchObject({ healthy: false, probe: 'alive', status: 0 })
    expect(json.code).toBe(1)
  })

  test('health gives up on a server that does not answer', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const { code, out } = await headwater(['health', '--timeout', '1', '--url', `http://127.0.0.1:${silent.port}`])
    silent.stop(true)
    expect({ code, out }).toEqual({ code: 1, out: 'not alive: no answer within 1 s\n' })
  })
})

describe('completion', () => {
  test('bash completes commands, commands below them, flags and choices', async () => {
    const { out: script } = await headwater(['completion', 'bash'])
    const complete = async (words: readonly string[]) => {
      const line = words.map(word => `'${word}'`).join(' ')
      const body = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _headwater; printf '%s\\n' "\${COMPREPLY[@]}"`
      return (await new Response(Bun.spawn(['bash', '-c', body], { stdout: 'pipe' }).stdout).text()).trim().split('\n')
    }
    expect(await complete(['headwater', 'str'])).toEqual(['stream'])
    expect(await complete(['headwater', 'stream', ''])).toEqual(['ls', 'create', 'append', 'tail', 'export', 'import', 'rm'])
    expect(await complete(['headwater', 'stream', 'tail', 'x', '--off'])).toEqual(['--offset'])
    expect(await complete(['headwater', 'stream', 'import', 'x', '--on-conflict', ''])).toEqual(['fail', 'skip', 'replace'])
    expect(await complete(['headwater', 'run', '--addr'])).toEqual(['--address'])
  })

  test('zsh and fish get scripts with every command', async () => {
    const scripts = await Promise.all(['zsh', 'fish'].map(shell => headwater(['completion', shell])))
    for (const { code, out } of scripts) {
      expect(code).toBe(0)
      for (const word of ['serve', 'append', 'on-conflict', 'replace']) expect(out).toContain(word)
    }
    expect(scripts[0]?.out).toStartWith('#compdef headwater\n')
  })
})

describe('config', () => {
  test('what print prints is read back, and check is content with it', async () => {
    using directory = temporaryDirectory()
    const printed = await headwater(['config', 'print', '--set', 'limits.page_bytes=2MiB'], { cwd: directory.path })
    expect(printed.code).toBe(0)
    await Bun.write(join(directory.path, 'again.textproto'), printed.out)
    const checked = await headwater(['config', 'check', '--config', 'again.textproto'], { cwd: directory.path })
    expect(checked).toMatchObject({ code: 0, err: '' })
    const again = await headwater(['config', 'print', '--config', 'again.textproto'], { cwd: directory.path })
    expect(again.out).toBe(printed.out)
  })
})
