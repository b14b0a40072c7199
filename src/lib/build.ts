/** Which build this is. The revision is written in by scripts/build.ts; from source it is `source`. */
import packageJson from '../../package.json' with { type: 'json' }

declare const HEADWATER_REVISION: string | undefined

export const build = {
  version: packageJson.version,
  /** Abbreviated git revision, with `-dirty` for uncommitted changes. */
  revision: typeof HEADWATER_REVISION === 'string' ? HEADWATER_REVISION : 'source',
} as const
