/** A thread that copies WALs into their database files, off the commit path. Worker entry point. */
import { Database, SQLiteError } from 'bun:sqlite'

declare const self: Worker

const open = new Map<string, Database>()

/** A file's path: copy its WAL, then answer with the path. `close` ends everything. */
self.onmessage = ({ data }: MessageEvent<unknown>) => {
  if (data === 'close') {
    for (const db of open.values()) db.close()
    open.clear()
    self.postMessage('closed')
  } else if (typeof data === 'string') {
    checkpoint(data)
    self.postMessage(data)
  }
}

function checkpoint(file: string): void {
  let db = open.get(file)
  if (db === undefined) {
    db = new Database(file, { readwrite: true, strict: true })
    db.run('PRAGMA busy_timeout = 1000')
    db.run('PRAGMA synchronous = FULL')
    open.set(file, db)
  }
  try {
    db.run('PRAGMA wal_checkpoint(PASSIVE)')
  } catch (error) {
    // A full disk or a busy file: nothing is lost, the WAL only stays; the writer asks again when it has grown further. Anything else ends the process.
    if (!(error instanceof SQLiteError && /^SQLITE_(FULL|BUSY|LOCKED)/.test(error.code ?? ''))) throw error
  }
}
