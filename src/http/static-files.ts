/** Files of a directory over HTTP, as the last that is asked: pages of an application, with caching, ranges and precompressed forms. Files of records are records/files. */
import { realpathSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fail, OperatorError } from '../lib/errors.ts'
import { byteRange } from './byte-range.ts'
import type { HeaderPair } from './headers.ts'
import { hasSuffix, isHashed, staticSegments } from './static-path.ts'

export interface StaticFilesSettings {
  readonly directory: string
  /** Paths without a suffix that name no file are answered with the `index.html` at the top. */
  readonly spa: boolean
}

/** The answer to a GET or HEAD; null: there is no such file. `headers` are on every answer. */
export type ServeStatic = (request: Request, headers: readonly HeaderPair[]) => Promise<Response | null>

interface Found {
  readonly path: string
  /** Name as it was asked for: what the type and caching follow from. */
  readonly name: string
  readonly size: number
  readonly modifiedAtMs: number
}

/** Forms that a build may have put beside a file, the smallest first. */
const encodings = [
  { name: 'br', suffix: '.br' },
  { name: 'zstd', suffix: '.zst' },
  { name: 'gzip', suffix: '.gz' },
] as const

const yearSecs = 31_536_000

/** Throws OperatorError when the directory is not there. */
export function staticFiles({ directory, spa }: StaticFilesSettings): ServeStatic {
  const root = realDirectory(directory)
  return async (request, headers) => {
    const { pathname, search } = new URL(request.url)
    const segments = staticSegments(pathname)
    const found = segments === null ? null : await find(root, segments, spa)
    if (found === null) return null
    if (found === 'directory') return redirect(`${pathname}/${search}`, headers)
    return answer(request, root, found, headers)
  }
}

function realDirectory(directory: string): string {
  try {
    return realpathSync(directory)
  } catch (error) {
    throw new OperatorError(`server.public_dir: cannot read ${directory}: ${error instanceof Error ? error.message : String(error)}`, 'Name a directory that exists, or leave it out.', 78)
  }
}

/** `directory`: its name lacks the slash, without which relative links of its page lead elsewhere. */
async function find(root: string, segments: readonly string[], spa: boolean): Promise<Found | 'directory' | null> {
  const name = segments.at(-1) ?? ''
  const asked = name === '' ? [...segments.slice(0, -1), 'index.html'] : segments
  const file = await regularFile(root, asked)
  if (file !== null) return file
  if (name !== '' && (await regularFile(root, [...segments, 'index.html'])) !== null) return 'directory'
  return spa && !hasSuffix(segments) ? regularFile(root, ['index.html']) : null
}

/** A file that is below `root` also when links are followed. */
async function regularFile(root: string, segments: readonly string[]): Promise<Found | null> {
  try {
    const path = await realpath(join(root, ...segments))
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return null
    const facts = await stat(path)
    return facts.isFile() ? { path, name: segments.at(-1) ?? '', size: facts.size, modifiedAtMs: facts.mtimeMs } : null
  } catch {
    return null // missing, not readable, a name that is too long: there is no such file here
  }
}

async function answer(request: Request, root: string, found: Found, common: readonly HeaderPair[]): Promise<Response> {
  const asked = request.headers
  const { file, encoding } = asked.has('range') ? { file: found, encoding: null } : await encodedForm(root, found, asked.get('accept-encoding') ?? '')
  const tag = tagOf(file, encoding)
  const headers = fileHeaders(found, tag, encoding, common)
  if (isKnown(asked.get('if-none-match'), tag)) return new Response(null, { status: 304, headers })
  headers.set('Content-Type', typeOf(found.name))
  headers.set('Content-Length', String(file.size))
  if (request.method === 'HEAD') return new Response(null, { status: 200, headers })
  const range = isSame(asked.get('if-range'), tag) ? byteRange(asked.get('range'), file.size) : 'whole'
  // Of a Blob of a file, Bun looks at the Range header itself.
  if (range === 'whole') return new Response(asked.has('range') ? Bun.file(file.path).stream() : Bun.file(file.path), { status: 200, headers })
  if (range === 'unsatisfiable') fail('range_not_satisfiable', { size: file.size })
  headers.set('Content-Range', `bytes ${range.from}-${range.end - 1}/${file.size}`)
  headers.set('Content-Length', String(range.end - range.from))
  return new Response(Bun.file(file.path).slice(range.from, range.end).stream(), { status: 206, headers })
}

/** The smallest form that the client takes and that is not older than the file. */
async function encodedForm(root: string, found: Found, accepted: string): Promise<{ file: Found; encoding: string | null }> {
  for (const { name, suffix } of encodings) {
    if (!accepts(accepted, name)) continue
    const file = await regularFile(root, [`${found.path.slice(root.length)}${suffix}`])
    if (file !== null && file.modifiedAtMs >= found.modifiedAtMs) return { file, encoding: name }
  }
  return { file: found, encoding: null }
}

/** RFC 9110 §12.5.3; `*` is not taken for a wish. */
function accepts(header: string, encoding: string): boolean {
  return header.split(',').some(each => {
    const [name = '', ...parameters] = each.toLowerCase().split(';').map(part => part.trim())
    return name === encoding && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter))
  })
}

function typeOf(name: string): string {
  const { type } = Bun.file(name)
  return type.startsWith('text/') && !type.includes('charset') ? `${type};charset=utf-8` : type
}

function fileHeaders({ name }: Found, tag: string, encoding: string | null, common: readonly HeaderPair[]): Headers {
  const headers = new Headers(common.map(([key, value]): [string, string] => [key, value]))
  headers.set('ETag', tag)
  headers.append('Vary', 'Accept-Encoding')
  headers.set('Accept-Ranges', 'bytes')
  headers.set('Cache-Control', isHashed(name) ? `public, max-age=${yearSecs}, immutable` : 'no-cache')
  if (encoding !== null) headers.set('Content-Encoding', encoding)
  return headers
}

function tagOf({ size, modifiedAtMs }: Found, encoding: string | null): string {
  return `"${size.toString(36)}-${Math.round(modifiedAtMs * 1000).toString(36)}${encoding === null ? '' : `-${encoding}`}"`
}

function isKnown(tags: string | null, tag: string): boolean {
  return tags !== null && (tags.trim() === '*' || tags.split(',').some(each => each.trim().replace(/^W\//, '') === tag))
}

/** RFC 9110 §13.1.5; dates are too coarse to tell. */
function isSame(version: string | null, tag: string): boolean {
  return version === null || version.trim() === tag
}

function redirect(location: string, common: readonly HeaderPair[]): Response {
  return new Response(null, { status: 307, headers: [['Location', location], ['Cache-Control', 'no-cache'], ...common.map(([key, value]): [string, string] => [key, value])] })
}
