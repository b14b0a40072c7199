/** Runs the published conformance suite in a child process and counts its results from the JUnit report. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from '../support/command.ts'

/** Tests in `@durable-streams/server-conformance-tests` 0.3.6 with subscriptions. */
export const publishedTestCount = 338

export interface SuiteResult {
  /** Tests that ran to an end; a skipped one did not run. */
  readonly ran: number
  readonly passed: number
  readonly failures: readonly string[]
  readonly output: string
}

const suiteMsMax = 240_000

/** Runs all published tests against `url`; with `ca` (PEM text) over TLS and HTTP/2 only. */
export async function runSuite(url: string, ca?: string): Promise<SuiteResult> {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-conformance-'))
  const report = join(directory, 'junit.xml')
  const child = Bun.spawn({
    cmd: [process.execPath, 'test', './test/conformance/suite.ts', '--timeout', '60000', '--reporter=junit', `--reporter-outfile=${report}`],
    cwd: repository,
    env: { ...Bun.env, CONFORMANCE_URL: url, CONFORMANCE_CA: ca ?? '' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: suiteMsMax,
    killSignal: 'SIGKILL',
  })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  try {
    return { ...countJunit(readFileSync(report, 'utf8')), output: err + out }
  } catch {
    throw new Error(`the suite wrote no report\n${(err + out).slice(-4000)}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Counts the test cases of a JUnit report. */
export function countJunit(xml: string): Omit<SuiteResult, 'output'> {
  const cases = [...xml.matchAll(/<testcase\b([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)]
  const failures: string[] = []
  let ran = 0
  for (const [, attributes = '', , body = ''] of cases) {
    if (/<skipped/.test(body)) continue
    ran++
    if (/<(failure|error)\b/.test(body)) failures.push(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? '?')
  }
  return { ran, passed: ran - failures.length, failures }
}
