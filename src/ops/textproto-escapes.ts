/** Escapes of strings in protobuf text format, both ways. Strings are bytes until they are whole: escapes may name parts of a character. */
import { SyntaxFault, type Position } from './config-tree.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes of the text between two quotes. `position` finds a character of it in the file, for faults. */
export function readEscapes(text: string, position: (offset: number) => Position): readonly number[] {
  const bytes: number[] = []
  const pattern = /\\(?:([abfnrtv?"'\\])|([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))?|[^\\]+/gy
  for (const part of text.matchAll(pattern)) {
    const [whole, simple, octal, hex, short, long] = part
    if (!whole.startsWith('\\')) bytes.push(...encoder.encode(whole))
    else if (simple !== undefined) bytes.push(simpleEscapes[simple] ?? simple.charCodeAt(0))
    else if (octal !== undefined || hex !== undefined) bytes.push(readByte(octal, hex, position(part.index)))
    else bytes.push(...encoder.encode(readCharacter(short ?? long, text, part.index, position(part.index))))
  }
  return bytes
}

/** The string that `bytes` are. */
export function decodeText(bytes: readonly number[], at: Position): string {
  try {
    return decoder.decode(Uint8Array.from(bytes))
  } catch {
    throw new SyntaxFault('the string is not valid UTF-8', at)
  }
}

/** `value` between double quotes, in ASCII where it would not be readable otherwise. */
export function quote(value: string): string {
  const text = value.replace(/[\u0000-\u001f"\\\u007f-\u009f\u2028\u2029\ufeff]/g, letter => {
    const code = letter.charCodeAt(0)
    return printedEscapes[letter] ?? (code < 0x80 ? `\\${code.toString(8).padStart(3, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`)
  })
  return `"${text}"`
}

const simpleEscapes: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 }
const printedEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' }

function readByte(octal: string | undefined, hex: string | undefined, at: Position): number {
  const value = octal === undefined ? parseInt(hex ?? '', 16) : parseInt(octal, 8)
  if (value > 255) throw new SyntaxFault(`the escape \\${octal ?? ''} is larger than a byte`, at)
  return value
}

function readCharacter(digits: string | undefined, text: string, index: number, at: Position): string {
  if (digits === undefined) throw new SyntaxFault(`unknown escape ${JSON.stringify(text.slice(index, index + 2))}`, at)
  const code = parseInt(digits, 16)
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw new SyntaxFault(`the escape names no character: U+${digits.toUpperCase()}`, at)
  }
  return String.fromCodePoint(code)
}
