/** The tables that every depot has, as steps with the version numbers of TrailBase (trailbase-api.md §13.4, §13.5), so that migrations of operators fall between the same two. */
import { columnsOf, createShape, reshape, type Shape } from './reshape.ts'
import type { Connection } from './history.ts'

export interface BuiltInStep {
  readonly version: number
  readonly name: string
  readonly run: (db: Connection) => void
}

/** The steps of a database: `main`, `session`, or any other name for an additional one. */
export function builtInSteps(database: string): readonly BuiltInStep[] {
  if (database === 'main') return mainSteps
  return database === 'session' ? sessionSteps : additionalSteps
}

const userColumns = {
  start: `id BLOB PRIMARY KEY NOT NULL DEFAULT (uuid_v4()) CHECK (is_uuid(id)),
  email TEXT COLLATE NOCASE CHECK (is_email(email)),`,
  end: `username TEXT COLLATE NOCASE,
  password_hash TEXT,
  admin INTEGER NOT NULL DEFAULT 0,
  totp_secret TEXT,
  created INTEGER NOT NULL DEFAULT (unixepoch()),
  updated INTEGER NOT NULL DEFAULT (unixepoch()),
  provider_id INTEGER NOT NULL DEFAULT 0,
  provider_user_id TEXT,
  provider_avatar_url TEXT`,
}

const userExtras = [
  'CREATE UNIQUE INDEX IF NOT EXISTS _user_email ON _user (email)',
  'CREATE UNIQUE INDEX IF NOT EXISTS _user_username ON _user (username)',
  'CREATE UNIQUE INDEX IF NOT EXISTS _user_provider ON _user (provider_id, provider_user_id)',
  // The second condition ends it where recursive_triggers is on: an update within the second that it was last updated in.
  `CREATE TRIGGER IF NOT EXISTS _user_updated AFTER UPDATE ON _user FOR EACH ROW
WHEN NEW.updated = OLD.updated AND OLD.updated <> unixepoch()
BEGIN UPDATE _user SET updated = unixepoch() WHERE id = NEW.id; END`,
]

/** Until the last step: migrations of that time name `verified`. */
const userWithVerified: Shape = {
  table: '_user',
  body: `(\n  ${userColumns.start}\n  verified INTEGER NOT NULL DEFAULT 0,\n  ${userColumns.end}\n) STRICT`,
  extras: userExtras,
}

/** An address counts from the moment that it is confirmed; until then it stands in `unverified_email`. */
const user: Shape = {
  table: '_user',
  body: `(\n  ${userColumns.start}\n  unverified_email TEXT COLLATE NOCASE CHECK (is_email(unverified_email)),\n  ${userColumns.end}\n) STRICT`,
  extras: userExtras,
}

const fileDeletions: Shape = {
  table: '_file_deletions',
  body: `(
  id INTEGER PRIMARY KEY,
  deleted INTEGER NOT NULL DEFAULT (unixepoch()),
  attempts INTEGER NOT NULL DEFAULT 0,
  errors TEXT,
  table_name TEXT NOT NULL,
  record_rowid INTEGER NOT NULL,
  column_name TEXT NOT NULL,
  json TEXT NOT NULL,
  updated_json TEXT
) STRICT`,
  extras: [],
}

const userAvatar: Shape = {
  table: '_user_avatar',
  body: `(
  user BLOB PRIMARY KEY NOT NULL REFERENCES _user(id) ON DELETE CASCADE,
  file TEXT NOT NULL CHECK (jsonschema('std.FileUpload', file, 'image/png, image/jpeg')),
  updated INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT`,
  extras: [],
}

const componentPreferences: Shape = {
  table: '_wasm_shared_preferences',
  body: `(component TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL CHECK (jsonschema('std.KeyValue', value))) STRICT`,
  extras: [],
}

const addFileDeletions: BuiltInStep = { version: 2, name: 'file_deletions', run: db => createShape(db, fileDeletions) }
const addUpdatedJson: BuiltInStep = { version: 6, name: 'file_deletions_updated_json', run: db => keepShape(db, fileDeletions) }

/** A depot that TrailBase began may be anywhere among them: each step takes what it finds. */
const mainSteps: readonly BuiltInStep[] = [
  { version: 1, name: 'users', run: db => createShape(db, { ...userWithVerified, extras: [] }) },
  addFileDeletions,
  { version: 3, name: 'user_avatars', run: db => createShape(db, userAvatar) },
  { version: 4, name: 'component_preferences', run: db => createShape(db, componentPreferences) },
  { version: 5, name: 'users_columns', run: db => keepShape(db, userWithVerified) },
  addUpdatedJson,
  { version: 7, name: 'users_indexes', run: db => keepShape(db, userWithVerified) },
  { version: 8, name: 'users_verified', run: db => keepShape(db, userWithVerified) },
  {
    version: 1_785_764_695,
    name: 'users_unverified_email',
    run: db => reshape(db, user, { email: 'CASE WHEN verified THEN email END', unverified_email: 'CASE WHEN NOT verified THEN email END' }),
  },
]

const additionalSteps: readonly BuiltInStep[] = [addFileDeletions, addUpdatedJson]

const expiring = 'created INTEGER NOT NULL DEFAULT (unixepoch()),\n  expires INTEGER NOT NULL'

const session: Shape = {
  table: '_session',
  body: `(\n  id INTEGER PRIMARY KEY,\n  user BLOB NOT NULL,\n  refresh_token TEXT NOT NULL UNIQUE,\n  ${expiring}\n) STRICT`,
  extras: ['CREATE INDEX IF NOT EXISTS _session_user ON _session (user)', 'CREATE INDEX IF NOT EXISTS _session_expires ON _session (expires)'],
}

const authorizationCode: Shape = {
  table: '_authorization_code',
  body: `(\n  user BLOB NOT NULL,\n  authorization_code TEXT PRIMARY KEY NOT NULL,\n  pkce_code_challenge TEXT,\n  ${expiring}\n) STRICT`,
  extras: ['CREATE INDEX IF NOT EXISTS _authorization_code_expires ON _authorization_code (expires)'],
}

const otpCode: Shape = {
  table: '_otp_code',
  body: `(\n  user BLOB NOT NULL,\n  email TEXT NOT NULL COLLATE NOCASE UNIQUE,\n  otp_code TEXT NOT NULL,\n  ${expiring}\n) STRICT`,
  extras: ['CREATE INDEX IF NOT EXISTS _otp_code_expires ON _otp_code (expires)'],
}

const sessionSteps: readonly BuiltInStep[] = [
  {
    version: 1,
    name: 'sessions',
    run(db) {
      createShape(db, session)
      createShape(db, authorizationCode)
    },
  },
  { version: 2, name: 'otp_codes', run: db => createShape(db, otpCode) },
]

/** Leaves a table alone that has every column of `shape`, but for what belongs to it. */
function keepShape(db: Connection, shape: Shape): void {
  const wanted = [...shape.body.matchAll(/^ {2}(\w+) /gm)].map(([, name = '']) => name)
  const found = columnsOf(db, shape.table)
  if (found.length === 0 || wanted.every(name => found.includes(name))) createShape(db, shape)
  else reshape(db, shape)
}
