/** Smaller images of image files, made when they are asked for and kept on disk within a limit. */
import { mkdirSync } from 'node:fs'
import { readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { FileMetrics } from './file-metrics.ts'
import type { StoredObject } from './object-store.ts'
import type { StoredFile } from './stored-file.ts'

export interface ThumbnailLimits {
  /** Pixels that a source may have: it is decoded as a whole. */
  readonly pixelsMax: number
  readonly sourceBytesMax: number
  readonly cacheBytesMax: number
  /** Images that are made at a time; others wait. */
  readonly concurrencyMax: number
  readonly waitingMax: number
}

export const thumbnailLimits: ThumbnailLimits = {
  pixelsMax: 40_000_000,
  sourceBytesMax: 64 * 1024 * 1024,
  cacheBytesMax: 256 * 1024 * 1024,
  concurrencyMax: 2,
  waitingMax: 64,
}

/** Widths and heights that can be asked for: few, so that nobody fills the cache with one image. */
export const thumbnailSteps: readonly number[] = [16, 32, 48, 64, 96, 128, 192, 256, 320, 400, 480, 512, 640, 800, 960, 1024, 1280, 1600, 2048]

export interface ThumbnailSize {
  readonly width: number
  readonly height: number
}

export interface Thumbnail extends Pick<StoredObject, 'size' | 'modifiedAtMs' | 'body'> {
  readonly type: string
}

/** What an image becomes. A GIF's first picture is a PNG. */
const outputs: Readonly<Record<string, 'jpeg' | 'png' | 'webp'>> = { 'image/jpeg': 'jpeg', 'image/png': 'png', 'image/webp': 'webp', 'image/gif': 'png' }

interface Entry {
  readonly bytes: number
  readonly modifiedAtMs: number
}

export class Thumbnails {
  readonly #directory: string
  readonly #limits: ThumbnailLimits
  readonly #log: Log
  readonly #metrics: FileMetrics
  /** By file name, the least recently used first. */
  #entries: Map<string, Entry> | null = null
  #cachedBytes = 0
  /** What is being made, so that it is made once. */
  readonly #making = new Map<string, Promise<Thumbnail>>()
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(directory: string, parts: { log: Log; metrics: FileMetrics; limits: ThumbnailLimits }) {
    this.#directory = directory
    this.#limits = parts.limits
    this.#log = parts.log
    this.#metrics = parts.metrics
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }

  /** Refuses `invalid_query` for what is no image that can be made smaller, and `overloaded`. */
  async of(file: StoredFile, object: StoredObject, size: ThumbnailSize): Promise<Thumbnail> {
    const format = outputs[file.mime_type ?? '']
    if (format === undefined) return noImage('only JPEG, PNG, WebP and GIF images have thumbnails')
    const entries = await this.#loaded()
    const name = `${file.id}.${size.width}x${size.height}.${format}`
    const entry = entries.get(name)
    // Another request may drop it meanwhile, and somebody may have emptied the directory.
    const kept = entry === undefined ? null : await Bun.file(join(this.#directory, name)).bytes().catch(() => null)
    if (entry !== undefined && kept !== null) {
      if (entries.delete(name)) entries.set(name, entry)
      this.#metrics.thumbnail(true)
      return thumbnailOf(format, kept, entry.modifiedAtMs)
    }
    const making = this.#making.get(name) ?? this.#make(name, format, object, size).finally(() => this.#making.delete(name))
    this.#making.set(name, making)
    return await making
  }

  /** Removes those of files that are gone. */
  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const gone = new Set(ids)
    const entries = await this.#loaded()
    for (const name of [...entries.keys()]) if (gone.has(idOf(name))) await this.#drop(entries, name)
  }

  async #make(name: string, format: 'jpeg' | 'png' | 'webp', object: StoredObject, size: ThumbnailSize): Promise<Thumbnail> {
    const { sourceBytesMax, pixelsMax } = this.#limits
    if (object.size > sourceBytesMax) return noImage('the image is too large')
    const bytes = await this.#bounded(async () => {
      const image = new Bun.Image(await object.bytes(), { maxPixels: pixelsMax, autoOrient: true })
      return await image.resize(size.width, size.height, { fit: 'inside', withoutEnlargement: true })[format]().bytes()
    })
    this.#metrics.thumbnail(false)
    await this.#keep(name, bytes, object.modifiedAtMs)
    return thumbnailOf(format, bytes, object.modifiedAtMs)
  }

  /** Decoding is what costs: only so many at a time. */
  async #bounded(make: () => Promise<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#running >= this.#limits.concurrencyMax) {
      if (this.#waiting.length >= this.#limits.waitingMax) fail('overloaded', { detail: 'too many thumbnails are being made' })
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return new Uint8Array(await make())
    } catch (error) {
      this.#log.debug('a thumbnail could not be made', { error })
      return noImage('the image cannot be read, or is too large')
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  /** Without room it is not kept: it can be made again. */
  async #keep(name: string, bytes: Uint8Array, modifiedAtMs: number): Promise<void> {
    const entries = await this.#loaded()
    if (bytes.length > this.#limits.cacheBytesMax) return
    while (this.#cachedBytes + bytes.length > this.#limits.cacheBytesMax) {
      const [oldest] = entries.keys()
      if (oldest === undefined) break
      await this.#drop(entries, oldest)
    }
    const path = join(this.#directory, name)
    try {
      await Bun.write(`${path}.partial`, bytes)
      await rename(`${path}.partial`, path)
      this.#cachedBytes += bytes.length - (entries.get(name)?.bytes ?? 0)
      entries.set(name, { bytes: bytes.length, modifiedAtMs })
    } catch (error) {
      this.#log.warn('a thumbnail could not be kept', { error })
    }
  }

  async #drop(entries: Map<string, Entry>, name: string): Promise<void> {
    this.#cachedBytes -= entries.get(name)?.bytes ?? 0
    entries.delete(name)
    await unlink(join(this.#directory, name)).catch(() => {})
  }

  /** What earlier runs kept, the oldest first. */
  async #loaded(): Promise<Map<string, Entry>> {
    if (this.#entries !== null) return this.#entries
    const found: (readonly [string, Entry])[] = []
    for (const name of await readdir(this.#directory)) {
      const { size, mtimeMs } = await stat(join(this.#directory, name))
      if (name.endsWith('.partial')) await unlink(join(this.#directory, name)).catch(() => {})
      else found.push([name, { bytes: size, modifiedAtMs: mtimeMs }])
    }
    // Another request may have read it meanwhile.
    if (this.#entries !== null) return this.#entries
    this.#entries = new Map(found.sort(([, a], [, b]) => a.modifiedAtMs - b.modifiedAtMs))
    this.#cachedBytes = found.reduce((sum, [, { bytes }]) => sum + bytes, 0)
    return this.#entries
  }
}

/** `200x150` of the query; either may be left out. Refuses `invalid_query` for sizes that are none of the steps. */
export function thumbnailSize(text: string): ThumbnailSize {
  const found = /^(\d{0,5})x(\d{0,5})$/.exec(text)
  const [, width = '', height = ''] = found ?? []
  const largest = thumbnailSteps.at(-1) ?? 0
  const size = { width: width === '' ? largest : Number(width), height: height === '' ? largest : Number(height) }
  const isKnown = (width !== '' || height !== '') && thumbnailSteps.includes(size.width) && thumbnailSteps.includes(size.height)
  return isKnown ? size : noImage(`thumb is <width>x<height>, each one of ${thumbnailSteps.join(', ')}`)
}

function thumbnailOf(format: string, bytes: Uint8Array<ArrayBuffer>, modifiedAtMs: number): Thumbnail {
  return { type: `image/${format}`, size: bytes.length, modifiedAtMs, body: (from, end) => new Blob([bytes.slice(from, end)]) }
}

function idOf(name: string): string {
  return name.slice(0, name.indexOf('.'))
}

function noImage(reason: string): never {
  fail('invalid_query', { detail: 'Invalid query', reason })
}
