/** What commands need of the server itself. Loaded only when a command asks for it, so that the others start fast. */
import type { LoadedConfig } from '../ops/config.ts'

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
}

export interface Product {
  /** Runs until a signal stops it. Resolves to the exit code. */
  readonly serve: (loaded: LoadedConfig) => Promise<number>
  /** Opens the depot in this process without listening. Refuses when another process holds it. */
  readonly open: (loaded: LoadedConfig) => Promise<LocalServer>
  /** Reads every file of the depot and verifies every checksum; calls `onProgress` with bytes read so far. */
  readonly check: (loaded: LoadedConfig, onProgress: (doneBytes: number, totalBytes: number) => void) => Promise<CheckReport>
}

/** The product of this program. */
export const systemProduct: Product = {
  serve: async loaded => (await import('../app.ts')).runServer(loaded),
  open: async loaded => (await import('../app.ts')).openLocal(loaded),
  check: async (loaded, onProgress) => (await import('../app.ts')).checkDepot(loaded, onProgress),
}
