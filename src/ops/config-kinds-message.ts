/** The kinds of messages, repeated ones and maps of them, made from a table of their fields. Which messages exist is config-messages.ts. */
import { Type, type TSchema } from 'typebox'
import { listItemsMax, type Kind, type MessageField } from './config-kinds.ts'
import { masked } from './config-mask.ts'
import { listTree, messageTree, nowhere, textTree, type FieldTree } from './config-tree.ts'

/**
 * A list of messages with `fields`; `defaults` stand for fields that the file leaves out. `Value` has the names of
 * `fields` in camel case: the caller keeps the two together. Not settable by the environment or flags.
 */
export function messages<Value extends object>(
  noun: string,
  fields: Readonly<Record<string, MessageField>>,
  defaults: Partial<Value> = {},
): Kind<readonly Value[]> {
  const item = message<Value>(fields, defaults)
  return {
    name: 'messages',
    expected: `a list of ${noun}, each with ${Object.keys(fields).join(', ')}`,
    schema: Type.Array(item.schema, { maxItems: listItemsMax }),
    words: 'none',
    item,
    fromText: text => text,
    read: (raw, context) => (Array.isArray(raw) ? raw.map(element => item.read(element, context)) : []),
    toTree: value => listTree(value.map(element => item.toTree(element))),
  }
}

/** A map from names to messages: a list of `{ key, value }`. Its scalars may come from the environment and the vault (config-secrets.ts). */
export function messageMap<Value extends object>(
  noun: string,
  key: Kind<string>,
  fields: Readonly<Record<string, MessageField>>,
  defaults: Partial<Value> = {},
): Kind<readonly { readonly key: string; readonly value: Value }[]> {
  const entry = { key: required(key, 'Its name; unique.'), value: required(message<Value>(fields, defaults), 'What belongs to the name.') }
  return { ...messages<{ readonly key: string; readonly value: Value }>(noun, entry), name: 'map', isMap: true }
}

/** A field that an entry must have. */
export function required<Value>(kind: Kind<Value>, help: string): MessageField & { readonly kind: Kind<Value> } {
  return { kind, required: true, help }
}

export function optional<Value>(kind: Kind<Value>, help: string): MessageField & { readonly kind: Kind<Value> } {
  return { kind, required: false, help }
}

/** `acid_shard_count` as `acidShardCount`. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function message<Value extends object>(
  fields: Readonly<Record<string, MessageField>>,
  defaults: Partial<Value>,
): Kind<Value> {
  return {
    name: 'message',
    expected: `a message with ${Object.keys(fields).join(', ')}`,
    schema: Type.Object(mapValues(fields, fieldSchema), { additionalProperties: false }),
    words: 'none',
    fields,
    fromText: text => text,
    read(raw, context) {
      const read: Record<string, unknown> = { ...defaults }
      for (const [name, value] of Object.entries(typeof raw === 'object' && raw !== null ? raw : {})) {
        const field = fields[name]
        if (field !== undefined) read[camelCase(name)] = field.kind.read(value, context)
      }
      // The schema has passed: every required field is there, and each has its kind's type.
      return read as Value
    },
    toTree: value => messageTree(Object.entries(fields).flatMap(([name, field]) => printField(name, field, value))),
  }
}

function fieldSchema(field: MessageField): TSchema {
  return field.required ? field.kind.schema : Type.Optional(field.kind.schema)
}

function printField(name: string, field: MessageField, value: object): readonly FieldTree[] {
  const key = camelCase(name)
  const content: unknown = Object.entries(value).find(entry => entry[0] === key)?.[1]
  if (content === undefined || content === null || (Array.isArray(content) && content.length === 0)) return []
  // A mask must not be read back as a value.
  if (field.kind.isSecret === true) return [{ name, at: nowhere, value: textTree(masked), commentedOut: true }]
  return [{ name, at: nowhere, value: field.kind.toTree(content) }]
}

function mapValues<From, To>(from: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, change(value)]))
}
