/** SQL about users (`main._user`); decides nothing. Sessions are session-store.ts. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { ProgramResult } from '../../storage/program.ts'
import { run, type AccountDatabase } from './database.ts'

export interface User {
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly email: string | null
  /** An address that its owner has not confirmed yet. */
  readonly unverifiedEmail: string | null
  readonly username: string | null
  readonly passwordHash: string | null
  readonly isAdmin: boolean
  /** Base32; null when there is no second step. */
  readonly totpSecret: string | null
  /** 0 = this server. */
  readonly providerId: number
}

/** By what a user is looked for. */
export interface UserName {
  readonly kind: 'email' | 'username' | 'any'
  readonly text: string
}

export interface NewUser {
  readonly email: string | null
  readonly username: string | null
  readonly passwordHash: string | null
  readonly isAdmin: boolean
}

/** `taken`: somebody has this name or address. `invalid`: the table does not take it (the form of an address). */
export type UserWrite = { readonly kind: 'done'; readonly user: User } | { readonly kind: 'taken' | 'invalid' | 'missing' }

const columns = 'id, email, unverified_email, username, password_hash, admin, totp_secret, provider_id'
const uniqueErrors = new Set([2067, 1555])
const checkError = 275

export class UserStore {
  readonly #database: AccountDatabase

  constructor(database: AccountDatabase) {
    this.#database = database
  }

  byName({ kind, text }: UserName): User | null {
    // An address holds an @ and a user name cannot, so at most one of the two fits.
    const condition = kind === 'any' ? 'email = ?1 OR username = ?1 ORDER BY email IS NULL' : `${kind} = ?1`
    return this.#one(`SELECT ${columns} FROM _user WHERE ${condition} LIMIT 1`, text)
  }

  byId(id: Uint8Array): User | null {
    return this.#one(`SELECT ${columns} FROM _user WHERE id = ?1`, id)
  }

  /** By address, confirmed or not, name, or id as text. */
  find(text: string): User | null {
    return this.#one(`SELECT ${columns} FROM _user WHERE email = ?1 OR username = ?1 OR unverified_email = ?1 OR id = uuid_parse(iif(?2, ?1, NULL)) LIMIT 1`, text, isUuid(text) ? 1n : 0n)
  }

  /** In the order of their ids; `after` is the last id that was seen. */
  list(after: Uint8Array | null, limit: number): readonly User[] {
    return this.#database.readNow('main', `SELECT ${columns} FROM _user WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2`, [after, BigInt(limit)]).map(userOf)
  }

  isEmail(text: string): boolean {
    return this.#database.readNow('main', 'SELECT is_email(?1)', [text])[0]?.[0] === 1n
  }

  async insert({ email, username, passwordHash, isAdmin }: NewUser): Promise<UserWrite> {
    const sql = `INSERT INTO _user (email, username, password_hash, admin) VALUES (?1, ?2, ?3, ?4) RETURNING ${columns}`
    return await this.#write(sql, email, username, passwordHash, isAdmin ? 1n : 0n)
  }

  /** Gives an anonymous user a password; `missing` when it is none any more. A name of null leaves the old one. */
  async promote(id: Uint8Array, passwordHash: string, username: string | null, unverifiedEmail: string | null): Promise<UserWrite> {
    const sql = `UPDATE _user SET password_hash = ?2, username = coalesce(?3, username), unverified_email = ?4
WHERE id = ?1 AND password_hash IS NULL AND provider_id = 0 AND email IS NULL RETURNING ${columns}`
    return await this.#write(sql, id, passwordHash, username, unverifiedEmail)
  }

  #one(sql: string, ...params: SqlValue[]): User | null {
    const [row] = this.#database.readNow('main', sql, params)
    return row === undefined ? null : userOf(row)
  }

  async #write(sql: string, ...params: SqlValue[]): Promise<UserWrite> {
    return writeOf(await this.#database.write('main', { steps: [run(sql, ...params)] }))
  }
}

function writeOf(result: ProgramResult): UserWrite {
  if (result.ok) {
    const row = result.rows[0]?.[0]
    return row === undefined ? { kind: 'missing' } : { kind: 'done', user: userOf(row) }
  }
  if (result.why !== 'unmet' && uniqueErrors.has(result.why.errno)) return { kind: 'taken' }
  if (result.why !== 'unmet' && result.why.errno === checkError) return { kind: 'invalid' }
  throw new Error(`a user cannot be written: ${result.why === 'unmet' ? result.why : result.why.message}`)
}

function userOf([id, email, unverifiedEmail, username, passwordHash, admin, totpSecret, providerId]: SqlRow): User {
  return {
    id: id instanceof Uint8Array ? id : new Uint8Array(0),
    email: textOrNull(email),
    unverifiedEmail: textOrNull(unverifiedEmail),
    username: textOrNull(username),
    passwordHash: textOrNull(passwordHash),
    isAdmin: Number(admin) !== 0,
    totpSecret: textOrNull(totpSecret),
    providerId: Number(providerId),
  }
}

function textOrNull(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
