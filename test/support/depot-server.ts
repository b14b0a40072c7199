/** A real server process on a depot that a test describes: its config, and SQL of one migration for each database. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, type Server, type ServerOptions } from './server.ts'

export interface DepotServerOptions extends Omit<ServerOptions, 'depot'> {
  /** Text of config.textproto. */
  readonly config: string
  /** By database, `main` among them. */
  readonly migrations: Readonly<Record<string, string>>
}

export interface DepotServer extends AsyncDisposable {
  readonly server: Server
  readonly url: string
  readonly depot: string
}

/** Streams are kept in memory unless `mode` says otherwise: they are no matter here. */
export async function startDepotServer({ config, migrations, ...options }: DepotServerOptions): Promise<DepotServer> {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-depot-'))
  const depot = join(directory, 'depot')
  for (const [database, sql] of Object.entries(migrations)) {
    mkdirSync(join(depot, 'migrations', database), { recursive: true, mode: 0o700 })
    writeFileSync(join(depot, 'migrations', database, 'U1790000000__test.sql'), sql)
  }
  writeFileSync(join(depot, 'config.textproto'), config)
  const remove = () => rmSync(directory, { recursive: true, force: true })
  const server = await startServer({ mode: 'memory', ...options, depot }).catch((error: unknown) => {
    remove()
    throw error
  })
  return {
    server,
    url: server.url,
    depot,
    async [Symbol.asyncDispose]() {
      await server.close()
      remove()
    },
  }
}
