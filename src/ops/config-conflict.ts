/** What a check of the configuration as a whole finds, and the one check that many lists share. The checks are config-checks*.ts. */
import type { OptionPath } from './options.ts'

export interface Conflict {
  readonly path: OptionPath
  /** What follows the path of the option in place: `[0].pattern`. */
  readonly below: string
  readonly message: string
}

export function conflict(path: OptionPath, message: string, below = ''): Conflict {
  return { path, below, message }
}

/** Names of the entries of the list at `path` that stand there twice; `field` is the one that holds the name. */
export function uniqueNames(path: OptionPath, names: readonly string[], field = 'name'): readonly Conflict[] {
  return names.flatMap((name, index) => {
    return names.indexOf(name) === index ? [] : [conflict(path, `expected a name of its own, got "${name}" again`, `[${index}].${field}`)]
  })
}
