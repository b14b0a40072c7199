/** Names of files: what of a client's name is kept, how it becomes unique, and how it is written into an answer's header. */
import type { Ids } from '../../lib/ids.ts'

/** Most characters of a client's name that are kept. */
export const originalNameCharactersMax = 255
const stemCharactersMax = 80
const extensionCharactersMax = 16
const suffixCharacters = 10

/** The client's name without directories and control characters; null when nothing is left. */
export function originalName(name: string): string | null {
  const base = name.toWellFormed().split(/[/\\]/).at(-1) ?? ''
  const clean = base.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '').trim()
  const kept = [...clean].slice(0, originalNameCharactersMax).join('')
  return kept === '' || kept === '.' || kept === '..' ? null : kept
}

/** Stem, `_`, ten random letters or digits, and the extension: usable in a path and a file system as it is. */
export function uniqueName(original: string | null, ids: Ids): string {
  const { stem, extension } = partsOf(original ?? '')
  return `${stem}_${suffix(ids)}${extension === '' ? '' : `.${extension}`}`
}

/** `attachment; filename="a.txt"; filename*=UTF-8''a.txt` (RFC 6266 §5, RFC 8187 §3.2). */
export function contentDisposition(kind: 'attachment' | 'inline', name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(name).replace(/['()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  return `${kind}; filename="${ascii}"${ascii === name ? '' : `; filename*=UTF-8''${encoded}`}`
}

function partsOf(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 ? name.slice(dot + 1) : ''
  const hasExtension = extension.length <= extensionCharactersMax && /^[A-Za-z0-9]+$/.test(extension)
  const stem = cleaned(hasExtension ? name.slice(0, dot) : name)
  return { stem: stem === '' ? 'file' : stem, extension: hasExtension ? extension : '' }
}

/** Letters and digits of every language; all else becomes `_`. */
function cleaned(stem: string): string {
  const safe = stem.normalize('NFC').replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, '_').replace(/^\.+|\.+$/g, '')
  return [...safe].slice(0, stemCharactersMax).join('')
}

function suffix(ids: Ids): string {
  const number = BigInt(`0x${Buffer.from(ids.random(), 'base64url').toString('hex')}`)
  return number.toString(36).padStart(suffixCharacters, '0').slice(-suffixCharacters)
}
