/** The type check as a test: `bun check` over src, test and scripts finds nothing. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { repository } from './support/source-tree.ts'

setDefaultTimeout(60_000)

test('bun check is clean', () => {
  const check = Bun.spawnSync([process.execPath, 'run', 'check'], { cwd: repository })
  const output = check.stdout.toString() + check.stderr.toString()
  expect(output).not.toContain('error TS')
  expect(check.exitCode).toBe(0)
})
