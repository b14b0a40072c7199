/** Files of records as one service: taking them in, giving them out, removing them. What record they belong to is writing/ and read-file.ts. */
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { assert } from '../../lib/assert.ts'
import { fail } from '../../lib/errors.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { Metrics } from '../../lib/metrics.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { RecordApi, RecordCatalog } from '../record-api.ts'
import type { RecordStore } from '../store/record-store.ts'
import type { FileIntake, FileRequest } from '../writing/file-intake.ts'
import { downloadAnswer, type DownloadRequest } from './file-answer.ts'
import { fileColumns, type FileColumn, type ReadRows } from './file-columns.ts'
import { fileMetrics, type FileMetrics } from './file-metrics.ts'
import { RecordFileRequest } from './file-request.ts'
import { FileStaging } from './file-staging.ts'
import { FileSweeper } from './file-sweeper.ts'
import { syncFileTriggers } from './file-triggers.ts'
import type { ObjectStore } from './object-store.ts'
import { PendingObjects } from './pending-objects.ts'
import { readMultipart, type MultipartRecord } from './read-multipart.ts'
import type { StoredFile } from './stored-file.ts'
import { Thumbnails, thumbnailLimits, thumbnailSize, type ThumbnailLimits } from './thumbnails.ts'

/** Where the bytes of files go. */
export interface FilesSettings {
  readonly objects: ObjectStore
  /** For the journal and thumbnails, also when objects are elsewhere. */
  readonly directory: string
  readonly metrics?: Metrics
  readonly thumbnails?: Partial<ThumbnailLimits>
}

export interface FilesParts {
  readonly settings: FilesSettings
  readonly store: RecordStore
  readonly catalog: () => RecordCatalog
  /** Databases that records live in. */
  readonly databases: () => readonly string[]
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

/** Looking a table through for names of files is no request: it may take its time. */
const scanMsMax = 10 * 60_000

export class RecordFiles implements FileIntake {
  readonly #parts: FilesParts
  readonly #metrics: FileMetrics
  readonly #staging: FileStaging
  readonly #sweeper: FileSweeper
  readonly #thumbnails: Thumbnails
  #columns: { readonly catalog: RecordCatalog; readonly columns: readonly FileColumn[] } | null = null
  #stopListening: () => void = () => {}

  constructor(parts: FilesParts) {
    const { settings, store, clock, ids, log } = parts
    const { objects, directory } = settings
    this.#parts = parts
    const pending = new PendingObjects(join(directory, '.pending'), clock)
    this.#metrics = fileMetrics(settings.metrics ?? new Metrics(), () => pending.activeCount)
    this.#staging = new FileStaging({ objects, pending, metrics: this.#metrics, ids })
    this.#thumbnails = new Thumbnails(join(directory, '.thumbnails'), { log, metrics: this.#metrics, limits: { ...thumbnailLimits, ...settings.thumbnails } })
    this.#sweeper = new FileSweeper({
      objects,
      pending,
      metrics: this.#metrics,
      clock,
      log,
      columns: () => this.columns,
      databases: parts.databases,
      readNow: (database, sql, params) => store.readNow(database, sql, params),
      read: readRows(store),
      write: (database, program) => store.write(database, program),
      forget: gone => void this.#thumbnails.forget(gone).catch((error: unknown) => log.warn('thumbnails could not be removed', { error })),
    })
  }

  /** Begins to listen to commits and to clean up. */
  async start(): Promise<void> {
    await this.syncTriggers()
    this.#stopListening = this.#parts.store.onCommit(database => this.#sweeper.committed(database))
    this.#sweeper.start()
  }

  /** To be called when the schema has changed. */
  async syncTriggers(): Promise<void> {
    await syncFileTriggers(this.#parts.store, this.#parts.databases(), this.columns)
  }

  /** What failed and what the journal names, at once instead of with the next period. */
  sweep(): Promise<void> {
    return this.#sweeper.sweep()
  }

  async stop(): Promise<void> {
    this.#stopListening()
    await this.#sweeper.stop()
  }

  begin(api: RecordApi, key: SqlRow | null): FileRequest {
    const { store, log } = this.#parts
    return new RecordFileRequest({ staging: this.#staging, log, readNow: (database, sql, params) => store.readNow(database, sql, params) }, api, key)
  }

  readMultipart(request: Request, bodyBytesMax: number, api: RecordApi): Promise<MultipartRecord> {
    return readMultipart(request, bodyBytesMax, api, this.#staging)
  }

  /** `options` is the query string of the address. Refuses `record_not_found` when the bytes are gone, `invalid_query`, `range_not_satisfiable`. */
  async answer(api: RecordApi, file: StoredFile, isByName: boolean, options: string, asked: DownloadRequest): Promise<Response> {
    const query = new URLSearchParams(options)
    const object = await this.#parts.settings.objects.find(file.id)
    if (object === null) return this.#missing(api, file)
    const wanted = query.get('thumb')
    const size = wanted === null ? null : thumbnailSize(wanted)
    const thumbnail = size === null ? null : await this.#thumbnails.of(file, object, size)
    const about = thumbnail === null || size === null ? null : { type: thumbnail.type, size: `${size.width}x${size.height}` }
    return downloadAnswer(api, { file, content: thumbnail ?? object, thumbnail: about, isByName, isInlineWanted: query.get('inline') === '1' }, asked)
  }

  get columns(): readonly FileColumn[] {
    const catalog = this.#parts.catalog()
    if (this.#columns?.catalog !== catalog) this.#columns = { catalog, columns: fileColumns(catalog) }
    return this.#columns.columns
  }

  #missing(api: RecordApi, { id, filename }: StoredFile): never {
    this.#metrics.missing()
    this.#parts.log.error('the bytes of a file are not there', { api: api.name, filename, object: id })
    fail('record_not_found', {})
  }
}

function readRows(store: RecordStore): ReadRows {
  return async (database, statements) => {
    const answer = await store.read({ database, statements, deadlineMs: scanMsMax, finish: null })
    assert('rows' in answer, 'a read without a finish gives rows')
    return answer.rows
  }
}
