/** Inputs of loadConfig for tests: a directory of its own with real files, and nothing from the environment of the test run. */
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { OperatorError } from '../../src/lib/errors.ts'
import { systemInputs, loadConfig, type ConfigInputs } from '../../src/ops/config.ts'

export interface Workspace {
  readonly path: string
  write(name: string, text: string): string
  read(name: string): string
  inputs(env?: Record<string, string>, flags?: Record<string, unknown>): ConfigInputs
  remove(): void
}

export function createWorkspace(): Workspace {
  const path = mkdtempSync(join(tmpdir(), 'headwater-config-'))
  return {
    path,
    write(name, text) {
      mkdirSync(dirname(join(path, name)), { recursive: true })
      writeFileSync(join(path, name), text)
      return join(path, name)
    },
    read: name => readFileSync(join(path, name), 'utf8'),
    inputs: (env = {}, flags = {}) => ({ ...systemInputs(flags), env, cwd: path }),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** The message of the refusal, with the workspace's own path taken out. */
export function refusalOf(workspace: Workspace, inputs: ConfigInputs): string {
  try {
    loadConfig(inputs)
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    if (error.exitCode !== 78) throw new Error(`exit code ${error.exitCode}, expected 78`)
    return error.message.replaceAll(`${workspace.path}/`, '')
  }
  throw new Error('the configuration was accepted')
}
