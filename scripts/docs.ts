/** Writes the reference pages that come from tables in the source: docs/configuration.md, docs/errors.md and docs/cli.md. A test fails when they are stale. */
import { join } from 'node:path'
import { cliReference } from '../src/cli/reference.ts'
import { catalogue } from '../src/lib/errors.ts'
import type { MessageField } from '../src/ops/config-kinds.ts'
import { envNames, isFileOnly, type Option } from '../src/ops/config-option.ts'
import { printTextproto } from '../src/ops/textproto-printer.ts'
import { flagSpecs } from '../src/ops/config-flags.ts'
import { messageTree, nowhere } from '../src/ops/config-tree.ts'
import { optionTable, type OptionPath } from '../src/ops/options.ts'

/** Pages by their path below the repository. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/configuration.md', configurationPage()],
    ['docs/errors.md', errorsPage()],
    ['docs/cli.md', cliReference()],
  ])
}

function configurationPage(): string {
  const sections = Map.groupBy(optionTable, ([path]) => (path.includes('.') ? path.slice(0, path.indexOf('.')) : path))
  const texts = [...sections].map(([name, options]) => {
    return `## ${name}\n\n${options.map(([path, option]) => optionText(path, option)).join('\n')}`
  })
  return `${introduction}\n${flagsText()}\n${texts.join('\n')}`
}

const introduction = `# Configuration

<!-- Made by \`bun run docs\` from src/ops/options.ts. Do not edit. -->

The server needs no configuration. What is set comes from five places; each overrides the ones before it:

1. the defaults below,
2. the config file: the one that \`--config\` names, else \`config.textproto\` or \`config.json\` in the depot (not both),
3. the vault, \`secrets/secrets.textproto\` in the depot, for secrets that the file leaves out or masks as \`<REDACTED>\`,
4. the environment,
5. flags.

\`headwater config check\` reads everything without starting and lists every problem. \`headwater config print --origin\` shows each value and
where it comes from, with secrets masked. The first start makes a config file in which everything is a comment; after that the server never writes
it: the directory may be read-only, and so may the migrations.

A config file is protobuf text format, or JSON in which comments and trailing commas are allowed. Both take the same names:

\`\`\`textproto
# depot/config.textproto
server {
  bind_address: "0.0.0.0:4437"
}
tls {
  cert_path: "secrets/tls.crt"      # relative to the directory of this file
  key_path: "secrets/tls.key"
}
auth {
  issuers: [{
    name: "login"
    issuer: "https://login.example.org/"
    audiences: ["https://streams.example.org"]
    jwks_url: "https://login.example.org/.well-known/jwks.json"
  }]
}
stream_apis: [{
  name: "rooms"
  pattern: "rooms/{room}/**"
  acl_world: [READ]
  acl_authenticated: [CREATE, READ, APPEND]
  claims: [{ claim: "room" equals_segment: "room" actions: [CREATE, APPEND] }]
}]
\`\`\`

\`\`\`json
{
  "server": { "bind_address": "0.0.0.0:4437" },
  "http": { "cors_origins": ["https://app.example.org"] } // a comment
}
\`\`\`

In the environment, levels are joined by two underscores: \`storage.data_dir\` is \`DS_STORAGE__DATA_DIR\`. Lists are separated by commas. An empty
variable counts as not set. A secret may come from a file: \`DS_HTTP__METRICS_TOKEN_FILE=/run/secrets/token\`. Lists of messages (such as
\`stream_apis\` and \`record_apis\`) can only be set in the file. Where an option has several names in the environment, the first one listed wins.
Names that do not exist are errors, with the nearest one that does.

The configuration of TrailBase is a part of this one: its \`config.textproto\` and \`secrets.textproto\` are read as they are, and \`TRAIL_SERVER_SITE_URL\`
sets what \`server.site_url\` is. A field inside a map has a variable too: \`TRAIL_AUTH_OAUTH_PROVIDERS_GITHUB_CLIENT_SECRET\`, in the environment or in the vault:

\`\`\`
# depot/secrets/secrets.textproto, mode 0600
secrets { key: "TRAIL_AUTH_OAUTH_PROVIDERS_GITHUB_CLIENT_SECRET" value: "…" }
\`\`\`

Relative paths in the file are taken from the file's directory, others from the working directory. Certificates and keys may be replaced while the server
runs: they are read again on SIGHUP and when the files change. SIGHUP, and \`POST /control/config/reload\` on the control socket, read the configuration
again, apply new migrations, and put the options in force that say so below; the others are named and wait for a restart. What is wrong changes nothing and says why.
`

function flagsText(): string {
  const rows = flagSpecs.map(flag => `| \`${flag.flags}\` | ${flag.path === null ? '' : `\`${flag.path}\``} | ${cell(flag.help)} |`)
  return `## Flags\n\n| Flag | Option | |\n|---|---|---|\n${rows.join('\n')}\n`
}

function optionText(path: OptionPath, option: Option<unknown>): string {
  const facts = [
    `- Type: ${option.kind.name}. Takes ${option.kind.item?.fields === undefined ? option.kind.expected : 'a list of messages, see below'}.`,
    `- Default: ${defaultText(option)}.`,
    ...(isFileOnly(option) ? [] : [`- Environment: ${environmentText(path, option)}.`]),
    ...(option.pathAliases.length === 0 ? [] : [`- Also: ${option.pathAliases.map(code).join(', ')}.`]),
    ...(option.flags.length === 0 ? [] : [`- Flag: ${option.flags.map(flag => code(flag.flags)).join(', ')}.`]),
    ...(option.secret ? ['- A secret: masked when printed, never in messages.'] : []),
    ...(option.isLive ? ['- Applied by SIGHUP, without a restart.'] : []),
    ...(option.isUnused ? ['- Checked and kept, but not used by this version.'] : []),
    ...(option.reloadable ? ['- The file is read again while the server runs.'] : []),
  ]
  const fields = option.kind.item?.fields
  const more = fields === undefined ? '' : `\n${fieldsText(fields, '')}`
  return `### ${code(path)}\n\n${option.help}\n\n${facts.join('\n')}\n${more}`
}

function defaultText(option: Option<unknown>): string {
  if (option.defaultText !== undefined) return prose(option.defaultText)
  if (option.initial === null) return 'not set'
  const field = { name: 'value', at: nowhere, value: option.kind.toTree(option.initial) }
  return code(printTextproto(messageTree([field])).trim().slice('value: '.length))
}

/** Strongest first. */
function environmentText(path: OptionPath, option: Option<unknown>): string {
  const names = [...envNames(path, option)].reverse()
  return names.map(alias => `${code(alias.name)}${alias.expected === undefined ? '' : ` (${alias.expected})`}`).join(', ')
}

function fieldsText(fields: Readonly<Record<string, MessageField>>, prefix: string): string {
  return `| Field | Type | |\n|---|---|---|\n${fieldRows(fields, prefix).join('\n')}\n`
}

function fieldRows(fields: Readonly<Record<string, MessageField>>, prefix: string): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const below = field.kind.item?.fields ?? field.kind.fields
    const takes = below === undefined ? ` Takes ${field.kind.expected}.` : ''
    const row = `| ${code(prefix + name)} | ${field.kind.name}${field.required ? ', required' : ''} | ${cell(`${field.help}${takes}`)} |`
    return below === undefined ? [row] : [row, ...fieldRows(below, `${prefix}${name}.`)]
  })
}

function errorsPage(): string {
  const rows = Object.entries(catalogue)
    .sort(([, first], [, second]) => first.status - second.status)
    .map(([name, entry]) => `| ${entry.status} | ${code(name)} | ${cell(entry.title)} |`)
  return `# Errors

<!-- Made by \`bun run docs\` from src/lib/errors.ts. Do not edit. -->

A refused request is answered with \`application/problem+json\` (RFC 9457). \`code\` is stable and meant for programs; \`title\` and \`detail\` are for people
and may change. \`request_id\` leads to the lines of the log. Answers with 429 and 503 carry \`Retry-After\`.

| Status | Code | Title |
|---|---|---|
${rows.join('\n')}
`
}

function code(text: string): string {
  return `\`${text}\``
}

function cell(text: string): string {
  return prose(text).replaceAll('|', '\\|')
}

/** Angle brackets would be HTML in Markdown. */
function prose(text: string): string {
  return text.replaceAll('<', '\\<')
}

if (import.meta.main) {
  for (const [path, text] of referencePages()) await Bun.write(join(import.meta.dir, '..', path), text)
}
