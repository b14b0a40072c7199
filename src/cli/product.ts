/** What commands need of the server itself. Loaded only when a command asks for it, so that the others start fast. */
import { systemClock } from '../lib/clock.ts'
import { systemIds } from '../lib/ids.ts'
import type { LoadedConfig } from '../ops/config.ts'
import { adminNotice } from '../ops/depot.ts'
import { createLog, lineWriter } from '../ops/log.ts'
import { exitFailed } from './context.ts'

export interface LocalServer {
  /** Answers as the control socket does: as the local operator, with the control API. */
  readonly fetch: (request: Request) => Promise<Response>
  readonly stop: () => Promise<void>
}

export interface CheckReport {
  readonly files: number
  readonly streams: number
  readonly bytes: number
  readonly problems: readonly { readonly file: string; readonly problem: string }[]
  /** What is no damage and yet worth knowing. */
  readonly notes: readonly { readonly file: string; readonly problem: string }[]
}

export interface Product {
  /** Runs until a signal stops it; `load` reads the configuration again, when somebody asks for it. Resolves to the exit code. */
  readonly serve: (loaded: LoadedConfig, load: () => LoadedConfig) => Promise<number>
  /** Opens the depot in this process without listening. Refuses when another process holds it. */
  readonly open: (loaded: LoadedConfig) => Promise<LocalServer>
  /** Reads every file of the depot and verifies every checksum; calls `onProgress` with bytes read so far. */
  readonly check: (loaded: LoadedConfig, onProgress: (doneBytes: number, totalBytes: number) => void) => Promise<CheckReport>
}

/** The product of this program. */
export const systemProduct: Product = {
  serve: async (loaded, load) => (await import('./run-server.ts')).runServer(loaded, load),
  open: openLocal,
  check: async (loaded, onProgress) => (await import('../streams/store/check.ts')).checkStore(loaded.config.storage.dataDir, onProgress),
}

async function openLocal(loaded: LoadedConfig): Promise<LocalServer> {
  const { createApp } = await import('../app.ts')
  const log = createLog({ filter: 'warn', style: { format: 'pretty', colour: false, journal: false }, write: lineWriter(2), clock: systemClock })
  const fence = (message: string) => {
    log.fatal('storage failed: nothing is acknowledged any more', { error: message })
    process.exit(exitFailed)
  }
  const app = await createApp(loaded.config, { clock: systemClock, ids: systemIds, log, fence })
  // Whoever works on a new depot makes it, and is the only one who can be told.
  if (app.records.firstAdmin !== null) process.stderr.write(adminNotice(app.records.firstAdmin))
  return { fetch: async request => app.controlFetch(request, null), stop: () => app.stop() }
}
