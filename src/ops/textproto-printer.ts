/** A plain tree to protobuf text format: what is printed parses to the same tree. Not a formatter of files: comments of a file are not in the tree. */
import type { FieldTree, MessageTree, Tree } from './config-tree.ts'
import { quote } from './textproto-escapes.ts'

/** The fields of `message`, two spaces a level, with a newline at the end unless there are none. */
export function printTextproto(message: MessageTree): string {
  return printFields(message.fields, '')
}

function printFields(fields: readonly FieldTree[], indent: string): string {
  return fields.map(field => `${indent}${printField(field, indent)}\n`).join('')
}

function printField(field: FieldTree, indent: string): string {
  const { name, value } = field
  const text = value.kind === 'message' ? `${name} ${printValue(value, indent)}` : `${name}: ${printValue(value, indent)}`
  const comment = field.comment === undefined ? '' : `  # ${oneLine(field.comment)}`
  return field.commentedOut === true ? `# ${oneLine(text)}${comment}` : `${text}${comment}`
}

function printValue(value: Tree, indent: string): string {
  if (value.kind === 'text') return quote(value.value)
  if (value.kind === 'number') return printNumber(value.value)
  if (value.kind === 'word') return value.value
  if (value.kind === 'list') return `[${value.items.map(item => printValue(item, indent)).join(', ')}]`
  return value.fields.length === 0 ? '{}' : `{\n${printFields(value.fields, `${indent}  `)}${indent}}`
}

function printNumber(value: number | bigint): string {
  if (typeof value === 'bigint') return String(value)
  if (Number.isNaN(value)) return 'nan'
  if (Object.is(value, -0)) return '-0.0'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  // Beyond 2^53 a whole number would read back as a bigint; the point keeps it a float.
  return Number.isInteger(value) && !Number.isSafeInteger(value) && !String(value).includes('e') ? `${value}.0` : String(value)
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ')
}
