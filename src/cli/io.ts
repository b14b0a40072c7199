/** What a command may touch of the terminal: texts out, bytes in, and whether somebody watches. No command uses `process` itself. */
import { isatty } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { lazily } from '../lib/lazily.ts'

export interface Io {
  readonly cwd: string
  readonly stdinIsTerminal: boolean
  readonly stdoutIsTerminal: boolean
  readonly stderrIsTerminal: boolean
  readonly hasColors: boolean
  /** Resolves when the terminal or pipe has taken it, so that a slow reader slows the writer. */
  out(data: string | Uint8Array): Promise<void>
  err(text: string): void
  stdin(): ReadableStream<Uint8Array>
}

/** The terminal of this process. `environment` decides over colours (NO_COLOR, TERM). Opens no stream before it is used. */
export function systemIo(environment: Readonly<Record<string, string | undefined>>): Io {
  const stdout = lazily(openStdout)
  return {
    cwd: process.cwd(),
    stdinIsTerminal: isatty(0),
    stdoutIsTerminal: isatty(1),
    stderrIsTerminal: isatty(2),
    hasColors: wantsColors(environment, isatty(2)),
    out: data =>
      new Promise((resolve, reject) => {
        stdout().write(data, error => (error ? reject(error) : resolve()))
      }),
    err: text => void process.stderr.write(text),
    stdin: () => Bun.stdin.stream(),
  }
}

/** Text of others, made harmless for a terminal: no escape sequences and no control characters. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?')
}

function openStdout(): NodeJS.WriteStream {
  // `headwater … | head` closes the pipe early; that is no error of ours.
  process.stdout.on('error', endQuietlyOnClosedPipe)
  return process.stdout
}

function endQuietlyOnClosedPipe(error: Error): void {
  if ('code' in error && error.code === 'EPIPE') process.exit(0)
  throw error
}

function wantsColors(environment: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false
  return isTerminal && environment['TERM'] !== 'dumb'
}
