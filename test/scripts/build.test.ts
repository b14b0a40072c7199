/** The executable: built, moved into a hostile directory, and still itself. */
import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../support/cli.ts'
import { repository } from '../support/command.ts'

setDefaultTimeout(120_000)

const directory = temporaryDirectory()
const built = join(directory.path, 'headwater')

/** What .ci/run built is tested as it is; otherwise a build of our own. */
beforeAll(() => {
  const given = Bun.env['HEADWATER_BIN'] ?? ''
  if (given !== '') return copyFileSync(given, built)
  const build = Bun.spawnSync([process.execPath, join(repository, 'scripts/build.ts'), '--outfile', built], { cwd: repository })
  expect(build.stderr.toString()).toBe('')
  expect(build.exitCode).toBe(0)
})

process.on('exit', () => directory[Symbol.dispose]())

test('files in the working directory cannot change it', async () => {
  const hostile = join(directory.path, 'hostile')
  mkdirSync(hostile)
  const evil = 'console.log("EVIL"); process.exit(9)'
  await Bun.write(join(hostile, 'evil.ts'), evil)
  await Bun.write(join(hostile, 'bunfig.toml'), 'preload = ["./evil.ts"]\n[run]\nbun = true\n')
  await Bun.write(join(hostile, '.env'), 'DS_STORAGE__MODE=tape\nDS_SERVER__PORT=99999999\n')
  await Bun.write(join(hostile, '.env.production'), 'DS_STORAGE__MODE=tape\n')
  await Bun.write(join(hostile, 'tsconfig.json'), '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}')
  await Bun.write(join(hostile, 'package.json'), '{"imports":{"#x":"./evil.ts"},"type":"commonjs"}')
  await Bun.write(join(hostile, 'node_modules/commander/index.js'), evil)
  for (const args of [['version'], ['config', 'check'], ['stream', 'ls']]) {
    const run = Bun.spawnSync([built, ...args], { cwd: hostile, env: { PATH: '/usr/bin:/bin' } })
    const text = run.stdout.toString() + run.stderr.toString()
    expect(text, args.join(' ')).not.toContain('EVIL')
    expect({ text, code: run.exitCode }, args.join(' ')).toEqual({ text: expect.any(String), code: 0 })
  }
})

test('it knows its revision', () => {
  const run = Bun.spawnSync([built, 'version', '--json'], { cwd: directory.path })
  expect(JSON.parse(run.stdout.toString()).revision).toMatch(/^([0-9a-f]{7,40}(-dirty)?|unknown|container)$/)
})

test('a wrong target is refused before anything is built', () => {
  const build = Bun.spawnSync([process.execPath, join(repository, 'scripts/build.ts'), '--target', 'amiga'], { cwd: repository })
  expect(build.exitCode).not.toBe(0)
  expect(build.stderr.toString()).toContain('linux-arm64-musl')
})
