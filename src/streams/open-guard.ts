/** Refusing to offer unguarded streams to a network by oversight. */
import { OperatorError } from '../lib/errors.ts'

export interface OpenGuardOptions {
  /** No `stream_apis` entry governs streams. */
  readonly isOpen: boolean
  /** Host the server listens on, with or without a port; a path for a Unix socket. */
  readonly address: string
  /** The operator's `http.allow_open_streams`. */
  readonly allowOpenStreams: boolean
}

/** Throws an OperatorError (78) when anybody on a network could read and write every stream and nobody said so. */
export function assertOpenAllowed({ isOpen, address, allowOpenStreams }: OpenGuardOptions): void {
  if (!isOpen || allowOpenStreams || isLoopback(address)) return
  throw new OperatorError(
    `The server would listen on ${address} with no stream_apis entry: anybody who reaches it could read, write and delete every stream.`,
    'Add stream_apis entries, listen on 127.0.0.1, or set http.allow_open_streams (DS_HTTP__ALLOW_OPEN_STREAMS=true) when something in front checks who may.',
    78,
  )
}

function isLoopback(address: string): boolean {
  if (address.startsWith('/') || address.startsWith('unix:')) return true
  const host = hostOf(address).toLowerCase()
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(host)
}

/** HOST, HOST:PORT, [V6]:PORT, [V6] or a bare V6 address. */
function hostOf(address: string): string {
  const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(address)
  if (bracketed?.[1] !== undefined) return bracketed[1]
  const parts = address.split(':')
  return parts.length === 2 ? (parts[0] ?? '') : address
}
