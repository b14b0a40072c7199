/** A loaded configuration as it is shown: trees for the text format, plain values for JSON, secrets masked. */
import { optionTable, type OptionPath } from './options.ts'
import { masked } from './config-mask.ts'
import { messageTree, nowhere, textTree, type FieldTree, type MessageTree, type Tree } from './config-tree.ts'

type Values = ReadonlyMap<OptionPath, unknown>
type Origins = ReadonlyMap<OptionPath, string>

/** Every option that has a value, as the fields of a config file; with `origins` each is followed by where it comes from. */
export function printedTree(values: Values, origins: Origins | null): MessageTree {
  return nest([...shown(values)].map(([path, tree]) => ({ names: path.split('.'), path, tree })), origins)
}

/** The same as plain JSON values: the content of a config.json. */
export function printedJson(values: Values): unknown {
  return plain(printedTree(values, null))
}

/** One entry per option that has a value. */
export function printedList(values: Values, origins: Origins): readonly { path: string; value: unknown; origin: string }[] {
  return [...shown(values)].map(([path, tree]) => ({ path, value: plain(tree), origin: origins.get(path) ?? 'default' }))
}

interface Entry {
  readonly names: readonly string[]
  readonly path: OptionPath
  readonly tree: Tree
}

function shown(values: Values): ReadonlyMap<OptionPath, Tree> {
  const trees = new Map<OptionPath, Tree>()
  for (const [path, option] of optionTable) {
    const value = values.get(path)
    if (value !== null && value !== undefined) trees.set(path, option.secret ? textTree(masked) : option.kind.toTree(value))
  }
  return trees
}

function nest(entries: readonly Entry[], origins: Origins | null): MessageTree {
  const groups = Map.groupBy(entries, entry => entry.names[0] ?? '')
  const fields = [...groups].map(([name, group]): FieldTree => {
    const only = group[0]
    if (only !== undefined && only.names.length === 1) return leaf(name, only, origins)
    const below = group.map(entry => ({ ...entry, names: entry.names.slice(1) }))
    return { name, at: nowhere, value: nest(below, origins) }
  })
  return messageTree(fields)
}

function leaf(name: string, entry: Entry, origins: Origins | null): FieldTree {
  const origin = origins?.get(entry.path)
  const secret = optionTable.get(entry.path)?.secret === true
  return {
    name,
    at: nowhere,
    value: entry.tree,
    ...(origin === undefined ? {} : { comment: origin }),
    ...(secret ? { commentedOut: true } : {}),
  }
}

function plain(tree: Tree): unknown {
  if (tree.kind === 'list') return tree.items.map(plain)
  if (tree.kind === 'message') return Object.fromEntries(tree.fields.map(field => [field.name, plain(field.value)]))
  if (tree.kind === 'word') return tree.value === 'true' ? true : tree.value === 'false' ? false : tree.value
  return tree.kind === 'number' ? Number(tree.value) : tree.value
}
