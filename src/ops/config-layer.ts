/** A config file's tree to settings: which names exist, how often, and which element of the grammar each takes. Values are checked by config-setting.ts. */
import { dirname } from 'node:path'
import type { Kind, MessageField } from './config-kinds.ts'
import type { Problem, Setting } from './config-setting.ts'
import { show } from './config-setting.ts'
import { hint, nearest, nearestPath } from '../lib/suggest.ts'
import type { FieldTree, MessageTree, Position, Tree } from './config-tree.ts'
import { foreignPaths, optionTable, type OptionPath } from './options.ts'

export interface Layer {
  readonly settings: readonly Setting[]
  readonly problems: readonly Problem[]
}

/** The settings of the file at `filePath`. Relative paths in it are taken from its directory. */
export function fileLayer(tree: MessageTree, filePath: string): Layer {
  return new LayerReader(filePath).read(tree)
}

/** Canonical paths by every path that a file may use. */
export const canonicalPaths: ReadonlyMap<string, OptionPath> = new Map(
  [...optionTable].flatMap(([path, option]) =>
    [path, ...option.pathAliases].map(name => [name, path] as const),
  ),
)

/** Every section that a file may have: `storage`, `transport.connection`. */
export const sectionPaths: ReadonlySet<string> = new Set([...canonicalPaths.keys()].flatMap(sectionsOf))

class LayerReader {
  readonly #filePath: string
  readonly #problems: Problem[] = []
  readonly #found = new Map<OptionPath, FieldTree[]>()

  constructor(filePath: string) {
    this.#filePath = filePath
  }

  read(tree: MessageTree): Layer {
    this.#section(tree, '')
    const settings = [...this.#found].flatMap(([path, fields]) => this.#setting(path, fields))
    return { settings, problems: this.#problems }
  }

  #section(section: MessageTree, prefix: string): void {
    for (const field of section.fields) {
      const path = `${prefix}${field.name}`
      const canonical = canonicalPaths.get(path)
      if (canonical !== undefined) this.#found.set(canonical, [...(this.#found.get(canonical) ?? []), field])
      else if (!sectionPaths.has(path)) this.#unknown(path, field.at)
      else if (field.value.kind === 'message') this.#section(field.value, `${path}.`)
      else this.#complain(path, `expected a message, got ${showTree(field.value)}`, field.value.at)
    }
  }

  #unknown(path: string, at: Position): void {
    const foreign = Object.hasOwn(foreignPaths, path) ? foreignPaths[path] : undefined
    if (foreign !== undefined) this.#complain(path, `not an option here: ${foreign}`, at)
    else this.#complain(path, `unknown option${hint(nearestPath(path, [...canonicalPaths.keys(), ...sectionPaths]))}`, at)
  }

  #setting(path: OptionPath, fields: readonly FieldTree[]): readonly Setting[] {
    const [field, second] = fields
    const kind = optionTable.get(path)?.kind
    if (field === undefined || kind === undefined) return []
    const positions = new Map<string, Position>([['', field.value.at]])
    const raw = this.#repeated(path, kind, fields, positions, true)
    if (raw === undefined) return []
    const where = (below: string) => this.#where(nearestPosition(positions, below))
    const origin = `file ${this.#where(field.at)}`
    if (second !== undefined && kind.item === undefined) return []
    return [{ path, raw, origin, where, baseDir: dirname(this.#filePath) }]
  }

  /** The value of a field that stands in `fields`, which is more than one only for lists. */
  #repeated(
    path: string,
    kind: Kind<unknown>,
    fields: readonly FieldTree[],
    positions: Map<string, Position>,
    splits: boolean,
    below = '',
  ): unknown {
    const [field, second] = fields
    if (field === undefined) return undefined
    if (kind.item !== undefined) return this.#list(path, kind, kind.item, fields, positions, splits, below)
    if (second !== undefined) this.#complain(path, `set twice, first at line ${field.at.line}`, second.at)
    return this.#single(path, kind, field.value, positions, below)
  }

  #list(
    path: string,
    kind: Kind<unknown>,
    item: Kind<unknown>,
    fields: readonly FieldTree[],
    positions: Map<string, Position>,
    splits: boolean,
    below: string,
  ): unknown {
    const first = fields[0]?.value
    if (first !== undefined) positions.set(below, first.at)
    const only = fields.length === 1 ? first : undefined
    if (splits && only?.kind === 'text' && item.fields === undefined) return kind.fromText(only.value)
    const listed = fields.flatMap<Tree>(field => (field.value.kind === 'list' ? field.value.items : [field.value]))
    const elements = kind.isMap === true ? listed.flatMap(mapEntries) : listed
    return elements.map((element, index) => {
      return this.#single(`${path}[${index}]`, item, element, positions, `${below}[${index}]`)
    })
  }

  #single(path: string, kind: Kind<unknown>, tree: Tree, positions: Map<string, Position>, below: string): unknown {
    positions.set(below, tree.at)
    if (kind.fields !== undefined && tree.kind === 'message') return this.#message(path, kind.fields, tree, positions, below)
    if (tree.kind === 'text' && kind.fields === undefined) return tree.value
    if (tree.kind === 'number' && kind.fields === undefined) return tree.value
    if (tree.kind === 'word' && kind.words === 'names') return tree.value
    if (tree.kind === 'word' && kind.words === 'boolean' && /^(?:true|false)$/.test(tree.value)) return tree.value === 'true'
    const option = canonicalPaths.get(path)
    const secret = kind.isSecret === true || (option !== undefined && optionTable.get(option)?.secret === true)
    this.#complain(path, `expected ${kind.expected}, got ${secret ? 'a value that does not fit' : showTree(tree)}`, tree.at)
    return undefined
  }

  #message(
    path: string,
    fields: Readonly<Record<string, MessageField>>,
    tree: MessageTree,
    positions: Map<string, Position>,
    below: string,
  ): unknown {
    const byName = Map.groupBy(tree.fields, field => field.name)
    const raw: Record<string, unknown> = {}
    for (const [name, occurrences] of byName) {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined
      const at = occurrences[0]?.at ?? tree.at
      if (field === undefined) {
        this.#complain(`${path}.${name}`, `unknown field${hint(nearest(name, Object.keys(fields)))}`, at)
        continue
      }
      const value = this.#repeated(`${path}.${name}`, field.kind, occurrences, positions, false, `${below}.${name}`)
      if (value !== undefined) raw[name] = value
    }
    return raw
  }

  #complain(path: string, message: string, at: Position): void {
    this.#problems.push({ path, message, where: this.#where(at) })
  }

  #where(at: Position): string {
    return `${this.#filePath}:${at.line}:${at.column}`
  }
}

/** The entries of a map: one that stands as `{ key, value }`, or the fields of an object in JSON. */
function mapEntries(tree: Tree): readonly Tree[] {
  if (tree.kind !== 'message' || tree.fields.some(field => field.name === 'key')) return [tree]
  return tree.fields.map(({ name, at, value }) => {
    const key: FieldTree = { name: 'key', at, value: { kind: 'text', value: name, at } }
    return { kind: 'message', fields: [key, { name: 'value', at, value }], at }
  })
}

function sectionsOf(path: string): readonly string[] {
  const names = path.split('.')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'))
}

/** The position of `below`, or of the nearest value around it: what is missing has none. */
function nearestPosition(positions: ReadonlyMap<string, Position>, below: string): Position {
  const found = positions.get(below)
  if (found !== undefined) return found
  const shorter = below.replace(/(?:\.[^.[\]]+|\[[0-9]+\])$/, '')
  return shorter === below ? { line: 1, column: 1 } : nearestPosition(positions, shorter)
}

function showTree(tree: Tree): string {
  if (tree.kind === 'message') return 'a message'
  if (tree.kind === 'list') return 'a list'
  return tree.kind === 'word' ? tree.value : show(tree.value)
}
