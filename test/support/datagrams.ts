/** Receives datagrams on a unix socket (path or `@abstract`) as systemd does. Linux only; for tests of sd_notify. */
import { dlopen, ptr } from 'bun:ffi'

const { symbols: libc } = dlopen('libc.so.6', {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i64' },
  close: { args: ['i32'], returns: 'i32' },
})

export interface Receiver {
  /** Waits until `count` datagrams have come in all, at most 5 s; returns them. */
  until(count: number): Promise<readonly string[]>
  close(): void
}

export function receiveDatagrams(address: string): Receiver {
  const path = address.startsWith('@') ? Buffer.from(`\0${address.slice(1)}`) : Buffer.from(`${address}\0`)
  const name = Buffer.concat([Buffer.from(new Uint16Array([1]).buffer), path])
  const fd = libc.socket(1, 2, 0)
  if (libc.bind(fd, ptr(name), name.length) !== 0) throw new Error(`cannot bind ${address}`)
  const messages: string[] = []
  const buffer = new Uint8Array(4_096)
  const drain = () => {
    for (;;) {
      const length = Number(libc.recv(fd, ptr(buffer), BigInt(buffer.length), 0x40))
      if (length < 0) return
      messages.push(new TextDecoder().decode(buffer.subarray(0, length)))
    }
  }
  return {
    async until(count) {
      for (let i = 0; i < 500; i++) {
        drain()
        if (messages.length >= count) break
        await Bun.sleep(10)
      }
      return messages
    },
    close: () => void libc.close(fd),
  }
}
