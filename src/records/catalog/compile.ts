/** Configuration and schema to record APIs, with every problem said at once. One API is compile-api.ts. */
import { OperatorError } from '../../lib/errors.ts'
import type { RecordApi, RecordCatalog } from '../record-api.ts'
import type { CatalogConfig, RecordApiConfig } from './api-config.ts'
import { compileApi } from './compile-api.ts'
import { expandTargets } from './compile-expand.ts'
import type { Relation } from './relation.ts'
import type { ReadRows } from './schema-rows.ts'

/** Exit code of a configuration that cannot be used (sysexits). */
const exitConfiguration = 78

/**
 * The record APIs of `config` over `relations` (read-schema.ts); `read` prepares the rules, on a connection with every database and
 * function. Throws an OperatorError that lists every problem as `record_apis[2] "posts": …`, a line each.
 */
export function compileCatalog(config: CatalogConfig, relations: readonly Relation[], version: number, read: ReadRows): RecordCatalog {
  const byName = new Map(relations.map(relation => [`${relation.database}.${relation.name}`, relation]))
  const problems: string[] = []
  const context = { config, relations: byName, read }
  const compiled: { readonly entry: RecordApiConfig; readonly label: string; readonly api: RecordApi }[] = []
  const names = new Map<string, number>()
  for (const [i, entry] of config.recordApis.entries()) {
    const label = `record_apis[${i}] "${entry.name}"`
    const problem = (text: string) => void problems.push(`${label}: ${text}`)
    const known = names.get(entry.name)
    if (known !== undefined) problem(`name: record_apis[${known}] has the same name; each API needs its own`)
    names.set(entry.name, known ?? i)
    const api = compileApi(entry, context, problem)
    if (api !== null) compiled.push({ entry, label, api })
  }
  const apis = new Map(compiled.map(({ api }) => [api.name, api]))
  const whole = compiled.map(({ entry, label, api }) => {
    const expand = expandTargets(entry.expand, api, { relations: byName, apis, configured: [...names.keys()] }, text => void problems.push(`${label}: ${text}`))
    return { ...api, expand }
  })
  if (problems.length > 0) throw new OperatorError(problems.join('\n'), 'Correct record_apis in the configuration, or the schema by a migration.', exitConfiguration)
  return { version, apis: new Map(whole.map(api => [api.name, api])), relations: byName }
}
