/** The shape of the code as a test: layout, direction of imports, sizes, names, and where the outside world may be touched (CONTRIBUTING.md). */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { basename, posix } from 'node:path'
import ts from 'typescript'
import { importsOf, nodesOf, placeOf, repositoryPaths, sourceFile, sourceFiles, type SourceFile } from './support/source-tree.ts'

/** A file imports from its own folder or from one further left. */
const direction = ['lib', 'storage', 'http', 'auth', 'streams', 'records', 'sync', 'ops', 'admin', 'app.ts', 'cli', 'main.ts']

/** Packages and modules that only some places may import. */
const importPlaces: Readonly<Record<string, (path: string) => boolean>> = {
  elysia: path => path === 'src/app.ts' || path.startsWith('src/http/') || path.endsWith('/routes.ts'),
  '@elysiajs/cors': path => path.startsWith('src/http/'),
  'bun:sqlite': path => ['src/storage/', 'src/streams/store/', 'src/records/store/', 'src/records/functions/'].some(place => path.startsWith(place)),
  jose: path => path.startsWith('src/auth/') || path.startsWith('src/streams/subscriptions/'),
  commander: path => path.startsWith('src/cli/'),
  '@clack/prompts': path => path.startsWith('src/cli/'),
}

/** Expressions by which the outside world gets in, and the one file each may stand in. */
const worldPlaces: Readonly<Record<string, string>> = {
  'process.env': 'src/ops/config.ts',
  'Bun.env': 'src/ops/config.ts',
  'import.meta.env': 'src/ops/config.ts',
  'Date.now': 'src/lib/clock.ts',
  'performance.now': 'src/lib/clock.ts',
  'Bun.nanoseconds': 'src/lib/clock.ts',
  'Bun.sleep': 'src/lib/clock.ts',
  'AbortSignal.timeout': 'src/lib/clock.ts',
  setTimeout: 'src/lib/clock.ts',
  setInterval: 'src/lib/clock.ts',
  'Math.random': 'src/lib/ids.ts',
  'crypto.getRandomValues': 'src/lib/ids.ts',
  'crypto.randomUUID': 'src/lib/ids.ts',
  'Bun.randomUUIDv7': 'src/lib/ids.ts',
  randomUUID: 'src/lib/ids.ts',
  randomBytes: 'src/lib/ids.ts',
}

const fileLinesMax = 400
const functionLinesMax = 70

/** Excess that exists, with its size. Entries may only shrink or go. */
const knownLongFiles: Readonly<Record<string, number>> = {}
const knownLongFunctions: Readonly<Record<string, number>> = {}

const bannedNames = /^(utils?|helpers?|common|manager|index|misc|shared)$/i

/** Folders of test/ that stand for a kind of proof instead of a folder of src/. */
const testKinds = ['support', 'fixtures', 'http', 'contract', 'conformance', 'clients', 'crash', 'regression', 'fuzz', 'bench', 'smoke', 'scripts']

const source = sourceFiles(['src'])
const scripts = sourceFiles(['scripts'])
const tests = sourceFiles(['test'])
const all = [...source, ...scripts, ...tests]

describe('layout', () => {
  test('the folders of src are those of the design', () => {
    expect(source.filter(file => rankOf(file.path) < 0).map(file => file.path)).toEqual([])
  })

  test('test/ mirrors src/', () => {
    const folders = [...direction.filter(name => !name.endsWith('.ts')), ...testKinds]
    const isPlaced = (path: string) => path.split('/').length === 2 || folders.includes(path.split('/')[1] ?? '')
    expect(tests.filter(file => !isPlaced(file.path)).map(file => file.path)).toEqual([])
  })

  test('the top level holds what was agreed, and documents', () => {
    const agreed = ['package.json', 'bunfig.toml', 'src', 'test', 'scripts', 'docs', 'examples', 'Dockerfile', 'tsconfig.json', 'bun.lock', 'package-lock.json', 'LICENSE']
    const names = new Set(repositoryPaths().map(path => path.split('/')[0] ?? ''))
    expect([...names].filter(name => !agreed.includes(name) && !name.endsWith('.md') && !name.startsWith('.'))).toEqual([])
  })

  test('files are named after what they hold', () => {
    const parts = (path: string) => path.split('/').map(part => basename(part, '.ts').split('.')[0] ?? '')
    expect(all.filter(file => parts(file.path).some(part => bannedNames.test(part))).map(file => file.path)).toEqual([])
    expect(all.filter(file => !/^[a-z0-9-]+(\.test)?\.ts$/.test(basename(file.path))).map(file => file.path)).toEqual([])
  })

  test('every file says in its first line what it is for', () => {
    const isSaid = (text: string) => /^(#!.*\n)?\/\*\*\s/.test(text)
    expect(all.filter(file => !isSaid(file.text)).map(file => file.path)).toEqual([])
  })
})

describe('imports', () => {
  test('go to the own folder or to the left', () => {
    const wrong = source.flatMap(file =>
      relativeImports(file)
        .filter(({ path }) => rankOf(path) > rankOf(file.path))
        .map(({ path, place }) => `${place} imports ${path}`),
    )
    expect(wrong).toEqual([])
  })

  test('stay inside src, and scripts are imported by nothing in it', () => {
    const wrong = source.flatMap(file => relativeImports(file).filter(({ path }) => !path.startsWith('src/') && path !== 'package.json'))
    expect(wrong.map(({ place, path }) => `${place} imports ${path}`)).toEqual([])
  })

  test('name the file with its extension', () => {
    const wrong = all.flatMap(file => relativeImports(file).filter(({ path }) => !/\.(ts|json|pem|html|mjs)$/.test(path) && path.startsWith('src/')))
    expect(wrong.map(({ place, path }) => `${place} imports ${path}`)).toEqual([])
  })

  // A thread loads everything for itself: with the 500 files of typebox a writer took 113 ms of processor time to start, without them 16.
  test('of the threads that write streams reach no package', () => {
    const workers = source.map(file => file.path).filter(path => /^src\/(storage|streams)\/.*-worker\.ts$/.test(path))
    expect(workers.length).toBeGreaterThanOrEqual(3)
    const reached = workers.flatMap(worker => packagesReachedBy(worker).map(name => `${worker} reaches ${name}`))
    expect(reached).toEqual([])
  })

  test('of packages with a place stay there', () => {
    const wrong = source.flatMap(file =>
      importsOf(file)
        .filter(({ from }) => importPlaces[from]?.(file.path) === false)
        .map(({ from, node }) => `${placeOf(file, node)} imports ${from}`),
    )
    expect(wrong).toEqual([])
  })
})

describe('the outside world', () => {
  test('time, randomness and the environment come in as parameters', () => {
    const wrong = source.flatMap(file => worldUses(file).map(({ node, what }) => `${placeOf(file, node)} uses ${what}`))
    expect(wrong).toEqual([])
  })
})

describe('sizes', () => {
  test(`no file has more than ${fileLinesMax} lines`, () => {
    const long = Object.fromEntries(all.map(file => [file.path, file.text.trimEnd().split('\n').length]).filter(([, lines]) => Number(lines) > fileLinesMax))
    expect(grown(long, knownLongFiles)).toEqual([])
  })

  test(`no function has more than ${functionLinesMax} lines`, () => {
    const long = Object.fromEntries([...source, ...scripts].flatMap(longFunctions))
    expect(grown(long, knownLongFunctions)).toEqual([])
  })

  test('excess that was mended is taken off the lists', () => {
    const paths = new Set(all.map(file => file.path))
    const names = [...Object.keys(knownLongFiles), ...Object.keys(knownLongFunctions).map(name => name.split('#')[0] ?? '')]
    expect(names.filter(name => !paths.has(name))).toEqual([])
  })
})

describe('language', () => {
  test('no any, no enum, no namespace, no default export', () => {
    const isBanned = (node: ts.Node) =>
      node.kind === ts.SyntaxKind.AnyKeyword || ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node) || isDefaultExport(node)
    const wrong = [...source, ...scripts].flatMap(file => [...nodesOf(file.tree)].filter(isBanned).map(node => `${placeOf(file, node)} ${node.getText().slice(0, 40)}`))
    expect(wrong).toEqual([])
  })

  test('no non-null assertion', () => {
    const wrong = source.flatMap(file => [...nodesOf(file.tree)].filter(ts.isNonNullExpression).map(node => `${placeOf(file, node)} ${node.getText()}`))
    expect(wrong).toEqual([])
  })

  test('no unfinished business, no muted checks', () => {
    const wrong = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|expect-error|nocheck)/
    const found = [...source, ...scripts].flatMap(file => file.text.split('\n').flatMap((line, i) => (wrong.test(line) ? [`${file.path}:${i + 1} ${line.trim()}`] : [])))
    expect(found).toEqual([])
  })

  test('no statement ends with a semicolon', () => {
    const isEmpty = (node: ts.Node) => ts.isStatement(node) && !ts.isForStatement(node) && node.getText().endsWith(';')
    const wrong = source.flatMap(file => [...nodesOf(file.tree)].filter(isEmpty).map(node => placeOf(file, node)))
    expect(wrong).toEqual([])
  })

  // Elysia reads the printed source of a handler to decide whether to await it; only `async` is certain.
  test('handlers of Elysia routes are async', () => {
    const routes = source.filter(file => importsOf(file).some(({ from, isTypeOnly }) => from === 'elysia' && !isTypeOnly))
    expect(routes.flatMap(plainHandlers)).toEqual([])
  })
})

describe('the checks themselves', () => {
  const bad = sourceFile(
    'src/streams/bad.ts',
    `import { Elysia } from 'elysia'
import { x } from '../ops/config.ts'

setDefaultTimeout(60_000)
const now = Date.now(), then = new Date(), t = setTimeout(() => {}, 1), r = globalThis.Math.random()
new Elysia().get('/a', () => x).get('/b', async () => x).all(\`/c\`, handler).post('/d', later, {})
function handler() {}
valueOf()
const later = async () => {}
const long = () => {${'\n'.repeat(80)}}
`,
  )

  test('see what they forbid, and only that', () => {
    expect(worldUses(bad).map(({ what }) => what)).toEqual(['Date.now', 'Date.now', 'setTimeout', 'Math.random'])
    expect(plainHandlers(bad).map(place => place.split(' ')[1])).toEqual(['`/c`', "'/a'"])
    expect(longFunctions(bad)).toEqual([['src/streams/bad.ts#long', 81]])
    expect(relativeImports(bad).filter(({ path }) => rankOf(path) > rankOf(bad.path)).map(({ path }) => path)).toEqual(['src/ops/config.ts'])
    expect(importPlaces['elysia']?.(bad.path)).toBe(false)
    expect(rankOf('src/helpers/x.ts')).toBe(-1)
  })
})

function rankOf(path: string): number {
  return direction.indexOf(path.split('/')[1] ?? '')
}

function relativeImports(file: SourceFile): readonly { readonly path: string; readonly place: string }[] {
  return importsOf(file)
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from, node }) => ({ path: posix.normalize(posix.join(posix.dirname(file.path), from)), place: placeOf(file, node) }))
}

/** Packages that are loaded with the file at `path`, by itself or by what it imports. */
function packagesReachedBy(path: string): readonly string[] {
  const reached = new Set([path])
  const packages = new Set<string>()
  for (const each of reached) {
    const file = source.find(one => one.path === each)
    for (const { from, isTypeOnly } of file === undefined ? [] : importsOf(file)) {
      if (isTypeOnly) continue
      if (from.startsWith('.')) reached.add(posix.normalize(posix.join(posix.dirname(each), from)))
      else if (!/^(node|bun):/.test(from)) packages.add(from)
    }
  }
  return [...packages]
}

function worldUses(file: SourceFile): readonly { readonly node: ts.Node; readonly what: string }[] {
  return [...nodesOf(file.tree)].flatMap(node => {
    const what = worldUse(node)
    return what === null || !Object.hasOwn(worldPlaces, what) || worldPlaces[what] === file.path ? [] : [{ node, what }]
  })
}

/** The name under which `node` reaches outside, if it does: `Date.now`, `setTimeout`, or a new Date without arguments. */
function worldUse(node: ts.Node): string | null {
  if (ts.isPropertyAccessExpression(node)) return node.getText().replace(/^globalThis\./, '')
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date') return (node.arguments?.length ?? 0) === 0 ? 'Date.now' : null
  if (ts.isIdentifier(node) && ts.isCallExpression(node.parent) && node.parent.expression === node) return node.text
  return null
}

function longFunctions(file: SourceFile): readonly (readonly [string, number])[] {
  return [...nodesOf(file.tree)].flatMap(node => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return []
    const first = file.tree.getLineAndCharacterOfPosition(node.getStart()).line
    const last = file.tree.getLineAndCharacterOfPosition(node.getEnd()).line
    const lines = last - first + 1
    return lines > functionLinesMax ? [[`${file.path}#${nameOf(node)}`, lines] as const] : []
  })
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name !== undefined) return node.name.getText()
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent) ? node.parent.name.getText() : 'anonymous'
}

/** Entries of `sizes` that are not known or have grown. */
function grown(sizes: Readonly<Record<string, number | string>>, known: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(sizes).flatMap(([name, size]) => (Number(size) > (known[name] ?? 0) ? [`${name}: ${size} lines`] : []))
}

function isDefaultExport(node: ts.Node): boolean {
  return ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword && node.parent.kind !== ts.SyntaxKind.DefaultClause
}

const verbs = new Set(['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'all', 'route'])

/** Routes whose handler is not an async function that stands in the same file. */
function plainHandlers(file: SourceFile): readonly string[] {
  return [...nodesOf(file.tree)].filter(ts.isCallExpression).flatMap(call => {
    if (!ts.isPropertyAccessExpression(call.expression) || !verbs.has(call.expression.name.text)) return []
    const [path, ...rest] = call.arguments
    const isRoute = path !== undefined && rest.length > 0 && /^['"`](\/|\$\{|\*)/.test(path.getText())
    const handler = call.expression.name.text === 'route' ? rest[1] : rest[0]
    return isRoute && !isAsync(file, handler) ? [`${placeOf(file, call)} ${path.getText()}`] : []
  })
}

function isAsync(file: SourceFile, handler: ts.Expression | undefined): boolean {
  if (handler === undefined) return false
  if (ts.isArrowFunction(handler) || ts.isFunctionExpression(handler)) return hasAsync(handler.modifiers)
  const name = handler.getText()
  return [...nodesOf(file.tree)].some(node => {
    if (ts.isFunctionDeclaration(node) && node.name?.text === name) return hasAsync(node.modifiers)
    const value = ts.isVariableDeclaration(node) && node.name.getText() === name ? node.initializer : undefined
    return value !== undefined && ts.isArrowFunction(value) && hasAsync(value.modifiers)
  })
}

function hasAsync(modifiers: ts.NodeArray<ts.ModifierLike> | undefined): boolean {
  return modifiers?.some(modifier => modifier.kind === ts.SyntaxKind.AsyncKeyword) === true
}
