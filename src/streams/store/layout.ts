/** The file that says how a data directory was made. Written once, whole or not at all. */
import { lazily } from '../../lib/lazily.ts'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../../lib/errors.ts'
import { syncDirectory } from '../../storage/sync-directory.ts'

const layoutSchema = Type.Object({
  /** Form of the directory; a later one is refused. */
  format: Type.Literal(1),
  family: Type.Union([Type.Literal('acid'), Type.Literal('file')]),
  shards: Type.Integer({ minimum: 1, maximum: 256 }),
  /** Grows by one when the store is put back from a backup. */
  incarnation: Type.Integer({ minimum: 0, maximum: 9_999_999_999_999_999 }),
  /** Every shard was made: one that is missing was lost. */
  made: Type.Boolean(),
})
export type Layout = Static<typeof layoutSchema>

/** As it stands in the file: with a checksum, for a flipped digit would still be a layout. */
const layoutCheck = lazily(() => Compile(Type.Intersect([layoutSchema, Type.Object({ sum: Type.Integer() })])))
const name = 'layout.json'

/** null when the directory is new. */
export function readLayout(directory: string): Layout | null {
  const path = join(directory, name)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new OperatorError(`${path} cannot be read: ${String(error)}`, 'restore it from a backup of the data directory', 74)
  }
  if (!layoutCheck().Check(value)) {
    throw new OperatorError(`${path} is not a layout that this headwater knows`, 'run the headwater version that wrote it', 78)
  }
  if (value.sum !== sumOf(value)) {
    throw new OperatorError(`${path} is damaged: its checksum does not fit`, 'restore it from a backup of the data directory', 74)
  }
  return value
}

export function writeLayout(directory: string, layout: Layout): void {
  const path = join(directory, name)
  const file = openSync(`${path}.new`, 'w', 0o600)
  writeSync(file, `${JSON.stringify({ ...layout, sum: sumOf(layout) })}\n`)
  fsyncSync(file)
  closeSync(file)
  renameSync(`${path}.new`, path)
  syncDirectory(directory)
}

function sumOf(layout: Layout): number {
  return Bun.hash.crc32(JSON.stringify([layout.format, layout.family, layout.shards, layout.incarnation, layout.made]))
}

/** The SQLite files of a layout. */
export function shardFiles(directory: string, layout: Pick<Layout, 'family' | 'shards'>): readonly string[] {
  if (layout.family === 'file') return [join(directory, 'file', 'index.db')]
  return Array.from({ length: layout.shards }, (_, shard) => join(directory, 'acid', `shard-${String(shard).padStart(3, '0')}.db`))
}
