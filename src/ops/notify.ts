/** Tells systemd what we are doing (sd_notify). Does nothing where there is no systemd; decides no states. */
import type { Pointer } from 'bun:ffi'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'

export interface Notify {
  ready(): void
  /** One line for `systemctl status`. */
  status(text: string): void
  reloading(): void
  stopping(): void
  /** Ends the watchdog's beat and closes the socket. */
  close(): void
}

export interface NotifyOptions {
  /** NOTIFY_SOCKET: a path, or `@name` in Linux' abstract name space. Empty or absent = no systemd. */
  readonly socket: string | undefined
  /** WATCHDOG_USEC and WATCHDOG_PID as they are. */
  readonly watchdogUsec?: string | undefined
  readonly watchdogPid?: string | undefined
  readonly clock: Clock
  readonly log: Log
}

export const silentNotify: Notify = { ready() {}, status() {}, reloading() {}, stopping() {}, close() {} }

/** The longest sun_path of Linux, in bytes. */
const socketPathBytesMax = 108

/** Connects to systemd. Never throws: a server that cannot report is still a server, and says so in the log. */
export async function createNotify(options: NotifyOptions): Promise<Notify> {
  const { socket, clock, log } = options
  if (socket === undefined || socket === '' || process.platform !== 'linux') return silentNotify
  const address = socketAddress(socket)
  const channel = address === null ? null : await openChannel(address)
  if (channel === null) {
    log.warn('systemd cannot be told about our state; Type=notify units will time out', { socket })
    return silentNotify
  }
  const stopBeat = beat(options, () => channel.send('WATCHDOG=1'), clock)
  return {
    ready: () => channel.send('READY=1'),
    status: text => channel.send(`STATUS=${text.replaceAll('\n', ' ')}`),
    // systemd compares this instant with its own view of CLOCK_MONOTONIC (Type=notify-reload).
    reloading: () => channel.send(`RELOADING=1\nMONOTONIC_USEC=${channel.monotonicUsec()}`),
    stopping: () => channel.send('STOPPING=1'),
    close() {
      stopBeat()
      channel.close()
    },
  }
}

/** Half of the watchdog's interval, as systemd advises. A blocked event loop misses it and is restarted. */
function beat(options: NotifyOptions, send: () => void, clock: Clock): () => void {
  const usec = Number(options.watchdogUsec ?? '0')
  const forUs = options.watchdogPid === undefined || options.watchdogPid === '' || Number(options.watchdogPid) === process.pid
  if (!Number.isSafeInteger(usec) || usec <= 0 || !forUs) return () => {}
  return clock.every(Math.max(1, usec / 2_000), send)
}

interface Channel {
  send(state: string): void
  monotonicUsec(): bigint
  close(): void
}

/** A sockaddr_un, or null when `socket` is no address. */
function socketAddress(socket: string): Uint8Array<ArrayBuffer> | null {
  const abstract = socket.startsWith('@')
  if (!abstract && !socket.startsWith('/')) return null
  const name = Buffer.from(abstract ? socket.slice(1) : socket)
  // A path ends with NUL; an abstract name begins with one and its length is told by the length of the address.
  const path = abstract ? Buffer.concat([Buffer.of(0), name]) : Buffer.concat([name, Buffer.of(0)])
  if (path.length > socketPathBytesMax) return null
  const address = new Uint8Array(2 + path.length)
  new Uint16Array(address.buffer, 0, 1)[0] = 1
  address.set(path, 2)
  return address
}

const clockMonotonic = 1
const addressFamilyUnix = 1
const datagramCloseOnExec = 2 | 0o2000000
/** MSG_NOSIGNAL | MSG_DONTWAIT. */
const sendFlags = 0x4000 | 0x40

async function openChannel(address: Uint8Array<ArrayBuffer>): Promise<Channel | null> {
  const c = await openLibc()
  if (c === null) return null
  const { symbols, ptr } = c
  const fd = symbols.socket(addressFamilyUnix, datagramCloseOnExec, 0)
  if (fd < 0) return null
  return {
    send(state) {
      const bytes = Buffer.from(state)
      symbols.sendto(fd, ptr(bytes), BigInt(bytes.length), sendFlags, ptr(address), address.length)
    },
    monotonicUsec() {
      const time = new BigInt64Array(2)
      symbols.clock_gettime(clockMonotonic, ptr(time))
      return (time[0] ?? 0n) * 1_000_000n + (time[1] ?? 0n) / 1_000n
    },
    close: () => void symbols.close(fd),
  }
}

interface Libc {
  readonly symbols: {
    socket(domain: number, type: number, protocol: number): number
    sendto(fd: number, bytes: Pointer, length: bigint, flags: number, address: Pointer, addressLength: number): number | bigint
    clock_gettime(id: number, time: Pointer): number
    close(fd: number): number
  }
  readonly ptr: (view: NodeJS.TypedArray) => Pointer
}

/** glibc first, then musl by its loader's names. */
const libraries = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1', 'libc.so']

async function openLibc(): Promise<Libc | null> {
  for (const library of libraries) {
    try {
      const { dlopen, ptr } = await import('bun:ffi')
      const { symbols } = dlopen(library, {
        socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
        sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i64' },
        clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' },
        close: { args: ['i32'], returns: 'i32' },
      })
      return { symbols, ptr }
    } catch {
      // Not this C library, or a build of Bun without FFI.
    }
  }
  return null
}
