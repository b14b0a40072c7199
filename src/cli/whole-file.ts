/** Writes a file that is whole or not there, whatever happens on the way. What stands in it is the caller's. */
import { open, rename, unlink } from 'node:fs/promises'
import { OperatorError } from '../lib/errors.ts'

/** Beside the file first: it gets its name when `pump` is done and everything is on the disk. Throws OperatorError (73), and what `pump` throws. */
export async function toFile<Totals>(path: string, pump: (sink: (piece: string | Uint8Array) => Promise<void>) => Promise<Totals>): Promise<Totals> {
  const part = `${path}.part`
  const file = await open(part, 'w', 0o600).catch((error: unknown) => {
    throw new OperatorError(`cannot write ${part}: ${String(error)}`, 'Choose another --output.', 73)
  })
  try {
    const totals = await pump(piece => file.appendFile(piece))
    await file.sync()
    await rename(part, path)
    return totals
  } catch (error) {
    await unlink(part)
    throw error
  } finally {
    await file.close()
  }
}
