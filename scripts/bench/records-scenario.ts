/** One scenario for the load generator of record APIs. What it measures is a Sample (sample.ts). */

export type RecordScenario =
  /** Creates, `bulk` records in each request. */
  | { readonly kind: 'insert'; readonly connections: number; readonly bulk: number }
  /** Reads of one record by its key. */
  | { readonly kind: 'read'; readonly connections: number }
  /** Lists of `limit` messages of one room. */
  | { readonly kind: 'list'; readonly connections: number; readonly limit: number }
  /** Creates, `rate` a second, and one subscriber who waits for them. */
  | { readonly kind: 'deliver'; readonly rate: number }
  /** Requests at a steady pace, while one client lists what takes as long as a list may take, again and again, or not. */
  | { readonly kind: 'paced'; readonly what: 'insert' | 'read'; readonly rate: number; readonly isScanned: boolean }

/** Where the messages are and who asks for them. */
export interface RecordTarget {
  /** The path of the API, `http://host:port/api/records/v1/messages`. */
  readonly base: string
  readonly pid: number | undefined
  /** Null: the server looks at no token. */
  readonly token: string | null
  /** A room that the caller is a member of, and the caller, as they stand in records. */
  readonly room: string
  readonly user: string
  /** Keys of messages that the caller may read, from all over the table. */
  readonly ids: readonly string[]
}

export interface RecordJob {
  readonly seconds: number
  readonly warmSeconds: number
  readonly target: RecordTarget
  readonly scenario: RecordScenario
}
