/** What an error of a file system means for a file. */
import { fail } from '../../lib/errors.ts'

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

/** Throws `insufficient_storage` for a full disk, and `error` as it is otherwise. */
export function throwStorageError(error: unknown): never {
  if (['ENOSPC', 'EDQUOT'].includes(codeOf(error))) fail('insufficient_storage', { detail: 'there is no room for the file' })
  throw error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
