/** The vault of a depot, `secrets/secrets.textproto`: values of secrets that the configuration masks. What they set is config-secrets.ts. */
import { SyntaxFault, type MessageTree, type Tree } from './config-tree.ts'
import { parseTextproto } from './textproto.ts'

/** Below the depot. */
export const vaultPath = 'secrets/secrets.textproto'

/** Values by key, `TRAIL_<PATH>`; the last of two with the same key holds. Throws `SyntaxFault`, without values in its words. */
export function parseVault(text: string): ReadonlyMap<string, string> {
  return new Map(parseTextproto(text).fields.flatMap(field => {
    if (field.name !== 'secrets') throw new SyntaxFault(`unknown field "${field.name}"; the vault holds secrets { key: … value: … }`, field.at)
    return entriesOf(field.value).map(entry => [textOf(entry, 'key'), textOf(entry, 'value')] as const)
  }))
}

function entriesOf(tree: Tree): readonly MessageTree[] {
  if (tree.kind === 'message') return [tree]
  if (tree.kind !== 'list') throw new SyntaxFault('expected { key: … value: … }', tree.at)
  return tree.items.flatMap(entriesOf)
}

function textOf(entry: MessageTree, name: 'key' | 'value'): string {
  const found = entry.fields.findLast(field => field.name === name)
  if (found?.value.kind === 'text') return found.value.value
  throw new SyntaxFault(`expected a string as the ${name} of a secret`, found?.at ?? entry.at)
}
