/** The reference pages are those that `bun run docs` would write now. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { referencePages } from '../../scripts/docs.ts'
import { catalogue } from '../../src/lib/errors.ts'
import { loadConfig, systemInputs } from '../../src/ops/config.ts'
import { optionTable } from '../../src/ops/options.ts'
import { createWorkspace } from '../ops/config-inputs.ts'

const pages = referencePages()

test.each([...pages])('%s is fresh (else: bun run docs)', async (path, text) => {
  expect(await Bun.file(join(import.meta.dir, '../..', path)).text()).toBe(text)
})

test('every option and every error is on its page', () => {
  for (const path of optionTable.keys()) expect(pages.get('docs/configuration.md')).toContain(`### \`${path}\``)
  for (const code of Object.keys(catalogue)) expect(pages.get('docs/errors.md')).toContain(`\`${code}\``)
})

test('the examples on the configuration page are accepted', () => {
  const workspace = createWorkspace()
  const page = pages.get('docs/configuration.md') ?? ''
  const examples = [...page.matchAll(/```(textproto|json)\n([^]*?)```/g)]
  expect(examples.length).toBe(2)
  for (const [, extension = '', text = ''] of examples) {
    const config = workspace.write(`example.${extension}`, text)
    expect(loadConfig({ ...systemInputs({ config }), env: {}, cwd: workspace.path }).file).toBe(config)
  }
  workspace.remove()
})
