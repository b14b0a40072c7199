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
  // A line of a comment has room for a text of one line only.
  const printed = value.kind === 'text' && field.commentedOut === true ? quote(value.value) : printValue(value, indent)
  const text = `${name}${value.kind === 'message' ? '' : ':'}${printed.startsWith('\n') ? '' : ' '}${printed}`
  const comment = field.comment === undefined ? '' : `  # ${oneLine(field.comment)}`
  return field.commentedOut === true ? `# ${oneLine(text)}${comment}` : `${text}${comment}`
}

/** Lists of scalars that are longer get a line for each item. */
const lineCharactersMax = 100

function printValue(value: Tree, indent: string): string {
  if (value.kind === 'text') return printText(value.value, `${indent}  `)
  if (value.kind === 'number') return printNumber(value.value)
  if (value.kind === 'word') return value.value
  if (value.kind === 'list') return printList(value.items, indent)
  return value.fields.length === 0 ? '{}' : `{\n${printFields(value.fields, `${indent}  `)}${indent}}`
}

/** Text of several lines: each is a string of its own, which readers join. */
function printText(text: string, indent: string): string {
  const lines = text.split(/(?<=\n)/)
  return lines.length < 2 ? quote(text) : lines.map(line => `\n${indent}${quote(line)}`).join('')
}

function printList(items: readonly Tree[], indent: string): string {
  const texts = items.map(item => printValue(item, indent))
  const isLong = items.every(item => item.kind !== 'message') && texts.join(', ').length > lineCharactersMax
  if (!isLong) return `[${texts.join(', ')}]`
  return `[\n${items.map(item => `${indent}  ${printValue(item, `${indent}  `)}`).join(',\n')}\n${indent}]`
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
