/** multipart/form-data to a raw record: text fields as texts, the bytes of files straight to the object store, in bounded memory. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { BusboyConfig, BusboyFileStream, BusboyInstance } from '@fastify/busboy'
import { drainBytesMax } from '../../http/body.ts'
import { fail, Refusal } from '../../lib/errors.ts'
import { lazily } from '../../lib/lazily.ts'
import { recordOfFields } from '../body/record-body.ts'
import type { RecordApi } from '../record-api.ts'
import type { RawRecord } from '../writing/row-values.ts'
import { isFileColumn } from '../writing/file-intake.ts'
import type { FileStaging } from './file-staging.ts'
import { mediaType } from './incoming-file.ts'
import type { StagedFile } from './staged-file.ts'

/** Loaded with the first form. `require`, because constructors cannot wait. */
const busboy = lazily(() => (require('@fastify/busboy') as typeof import('@fastify/busboy')).Busboy)

/** Parts of one form. */
export const partsMax = 1024
/** Files of one form. */
export const formFilesMax = 64
const headerPairsMax = 64

export interface MultipartRecord {
  readonly record: RawRecord
  /** Of names and contents: two sendings of the same form have other boundaries. */
  readonly digest: Uint8Array
  /** Removes the files that no write took. To be called in every case. */
  readonly discard: () => Promise<void>
}

interface Part {
  readonly name: string
  readonly value: string | StagedFile
  readonly hash: string
}

/** Refuses `bad_request`, `body_too_large` and what storing refuses; nothing is left then. Files for no column are passed over. */
export async function readMultipart(request: Request, bodyBytesMax: number, api: RecordApi, staging: FileStaging): Promise<MultipartRecord> {
  const form = new Form(api, staging)
  try {
    await form.read(request, bodyBytesMax)
    const parts = await form.parts()
    const hash = createHash('sha256')
    for (const part of parts) hash.update(JSON.stringify([part.name, part.hash]))
    return { record: recordOfFields(parts.map(part => [part.name, part.value] as const)), digest: hash.digest(), discard: () => form.discard() }
  } catch (error) {
    await form.discard()
    throw error
  }
}

class Form {
  readonly #api: RecordApi
  readonly #staging: FileStaging
  /** In the order of the form; null: an empty part of a file. */
  readonly #parts: Promise<Part | null>[] = []
  /** The first thing that went wrong; nothing is read behind it. */
  #failure: { readonly error: unknown } | null = null
  #wake: () => void = () => {}
  /** Files that are being stored. */
  readonly #open = new Set<Readable>()

  constructor(api: RecordApi, staging: FileStaging) {
    this.#api = api
    this.#staging = staging
  }

  async read(request: Request, bodyBytesMax: number): Promise<void> {
    const parser = this.#parser(request.headers.get('content-type') ?? '')
    const finished = new Promise<void>(resolve => parser.on('finish', resolve))
    await this.#pump(request, bodyBytesMax, parser)
    parser.end()
    await Promise.race([finished, this.#failed()])
    this.#throwFailure()
  }

  async parts(): Promise<readonly Part[]> {
    const parts = await Promise.all(this.#parts)
    this.#throwFailure()
    return parts.filter(part => part !== null)
  }

  async discard(): Promise<void> {
    const settled = await Promise.allSettled(this.#parts)
    const files = settled.flatMap(each => (each.status === 'fulfilled' && each.value !== null && typeof each.value.value !== 'string' ? [each.value.value] : []))
    await this.#staging.discard(files.filter(file => !file.isTaken))
  }

  #parser(contentType: string): BusboyInstance {
    const limits = { fieldNameSize: 255, fieldSize: Infinity, fields: partsMax, files: formFilesMax, parts: partsMax, headerPairs: headerPairsMax }
    const parser = this.#opened({ headers: { 'content-type': contentType }, limits, isPartAFile: (_name: unknown, _type: unknown, filename: unknown) => filename !== undefined })
    parser.on('field', (name: string | undefined, value: string) => {
      if (name === undefined || name === '') this.#fail(new Refusal('bad_request', { detail: 'A part has no name' }))
      else this.#parts.push(Promise.resolve({ name, value, hash: value }))
    })
    parser.on('file', (name, stream, filename, _encoding, type) => this.#file(name, stream, filename, type))
    parser.on('error', error => this.#fail(new Refusal('bad_request', { detail: `The form cannot be read: ${error instanceof Error ? error.message : ''}` })))
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      parser.on(limit, () => this.#fail(new Refusal('bad_request', { detail: `At most ${partsMax} parts and ${formFilesMax} files are allowed` })))
    }
    return parser
  }

  #opened(options: BusboyConfig): BusboyInstance {
    try {
      return new (busboy())(options)
    } catch {
      return fail('bad_request', { detail: 'The Content-Type of the form has no boundary' })
    }
  }

  #file(name: string | undefined, stream: BusboyFileStream, filename: string | undefined, type: string): void {
    stream.on('error', () => {}) // it is told where it is read
    const column = this.#api.columnsByName.get(name ?? '')
    if ((name ?? '') === '') this.#fail(new Refusal('bad_request', { detail: 'A part has no name' }))
    if (column === undefined || !isFileColumn(column) || this.#failure !== null) {
      stream.resume()
      return
    }
    this.#open.add(stream)
    const part = this.#staged(name ?? '', filename ?? '', type, stream).finally(() => this.#open.delete(stream))
    part.catch((error: unknown) => this.#fail(error))
    this.#parts.push(part)
  }

  async #staged(name: string, filename: string, type: string, stream: Readable): Promise<Part | null> {
    const hash = createHash('sha256')
    const about = { filename: filename === '' ? null : filename, contentType: mediaType(type) }
    const file = await this.#staging.stage(this.#api.relation.database, about, hashed(stream, hash))
    if (file.size > 0 || filename !== '') return { name, value: file, hash: JSON.stringify([filename, type, hash.digest('hex')]) }
    // Browsers send a field without a chosen file so.
    await this.#staging.discard([file])
    return null
  }

  /** Waits for the parser, which waits for the object store: no more than a few chunks are in memory. */
  async #pump(request: Request, bodyBytesMax: number, parser: BusboyInstance): Promise<void> {
    if (request.body === null) fail('bad_request', { detail: 'The body is empty' })
    const reader = request.body.getReader()
    let length = 0
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        length += value.length
        if (length > bodyBytesMax) this.#fail(new Refusal('body_too_large', { detail: `at most ${bodyBytesMax} bytes are allowed` }))
        if (this.#failure !== null) break
        if (!parser.write(value)) await Promise.race([new Promise<void>(resolve => parser.once('drain', resolve)), this.#failed()])
      }
    } catch (error) {
      this.#fail(request.signal.aborted ? new Refusal('bad_request', { detail: 'the connection closed before the body was complete' }) : error)
    }
    parser.destroy()
    await drained(reader)
    this.#throwFailure()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    // Otherwise whoever stores them would wait for the rest.
    for (const stream of this.#open) stream.destroy(new Error('the form came to no end'))
    this.#wake()
  }

  #failed(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
      if (this.#failure !== null) resolve()
    })
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error
  }
}

async function* hashed(stream: Readable, hash: ReturnType<typeof createHash>): AsyncIterable<Uint8Array> {
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    hash.update(chunk)
    yield chunk
  }
}

/** A client that sends first and reads later gets its refusal, if not too much comes (http/body.ts). */
async function drained(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    for (let length = 0; length <= drainBytesMax; ) {
      const { done, value } = await reader.read()
      if (done) return
      length += value.length
    }
  } catch {
    // the refusal is told all the same
  }
}
