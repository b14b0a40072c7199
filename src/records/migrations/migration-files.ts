/** The migrations that an operator wrote: files below a directory, found, named, read and ordered. Applying them is apply.ts. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'

export interface MigrationFile {
  readonly version: number
  readonly name: string
  readonly path: string
  readonly sql: string
  /** SHA-256 of the file, in hex. */
  readonly checksum: string
}

export interface FoundMigrations {
  /** By version, which is unique. */
  readonly files: readonly MigrationFile[]
  /** Sentences about SQL files that are no migrations. */
  readonly warnings: readonly string[]
}

/** Largest migration that is read. */
export const migrationBytesMax = 64 * 1024 * 1024
/** Deepest folder below the directory that is looked into. */
const foldersMax = 16

/**
 * All migrations below `directory`, and of main also those that lie flat in `legacyDirectory` (trailbase-api.md §13.1). None when
 * there is no such directory. Names that begin with a dot are not looked at: Kubernetes mounts files twice, once below such a name.
 */
export function findMigrations(directory: string | null, legacyDirectory: string | null): FoundMigrations {
  const paths = [...(directory === null ? [] : sqlFilesBelow(directory, foldersMax)), ...(legacyDirectory === null ? [] : sqlFilesBelow(legacyDirectory, 0))]
  const warnings: string[] = []
  const files: MigrationFile[] = []
  for (const path of paths.sort()) {
    const named = migrationName(path)
    if (named === null) warnings.push(`${path} is not applied: a migration is named U<number>__<name>.sql, with a name of letters, digits and "_"`)
    else files.push({ ...named, path, ...readMigration(path) })
  }
  files.sort((a, b) => a.version - b.version)
  for (const [index, file] of files.entries()) {
    const next = files[index + 1]
    if (next === undefined || next.version !== file.version) continue
    throw new OperatorError(`two migrations have version ${file.version}: ${file.path} and ${next.path}`, 'Give one of them another number.', 78)
  }
  return { files, warnings }
}

/** Version and name of `U1725019362__add_posts.sql`; null for other names. */
export function migrationName(path: string): { readonly version: number; readonly name: string } | null {
  const [, digits, name] = /(?:^|\/)[UV]([0-9]{1,15}(?:\.[0-9]{1,6})?)__(\w+)\.sql$/.exec(path) ?? []
  return digits === undefined || name === undefined ? null : { version: Number(digits), name }
}

function sqlFilesBelow(directory: string, folders: number): readonly string[] {
  const names = namesIn(directory).filter(name => !name.startsWith('.'))
  return names.flatMap(name => {
    const path = join(directory, name)
    // A link counts as what it leads to.
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory() === true) return folders > 0 ? sqlFilesBelow(path, folders - 1) : []
    return found?.isFile() === true && name.endsWith('.sql') ? [path] : []
  })
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw new OperatorError(`the migrations in ${directory} cannot be read (${code})`, 'Let the server’s user read the directory.', 78)
  }
}

function readMigration(path: string): { readonly sql: string; readonly checksum: string } {
  let bytes: Buffer
  try {
    if (statSync(path).size > migrationBytesMax) throw new OperatorError(`${path} is larger than ${migrationBytesMax} bytes`, 'Split it, or import the data instead.', 78)
    bytes = readFileSync(path)
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`${path} cannot be read (${codeOf(error)})`, 'Let the server’s user read the file.', 78)
  }
  const checksum = createHash('sha256').update(bytes).digest('hex')
  try {
    return { sql: new TextDecoder('utf-8', { fatal: true }).decode(bytes), checksum }
  } catch {
    throw new OperatorError(`${path} is not text in UTF-8`, 'Store it as UTF-8.', 78)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
