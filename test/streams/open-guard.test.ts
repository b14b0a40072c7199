/** Unguarded streams are offered to this machine only, unless the operator says otherwise. */
import { expect, test } from 'bun:test'
import { assertOpenAllowed } from '../../src/streams/open-guard.ts'

const local = ['127.0.0.1', '127.0.0.1:4437', 'localhost', 'LOCALHOST:80', '127.8.9.255:1', '::1', '[::1]', '[::1]:4437', '[::ffff:127.0.0.1]:80', '/run/headwater.sock', 'unix:/run/x.sock']
const reachable = [
  '0.0.0.0', '0.0.0.0:4437', '::', '[::]:4437', '192.168.1.2:80', '10.0.0.1', 'example.test:80', '', ':4437', '127.0.0.1.example.test', '127.0.0.256', '127.1.example.test:80',
  'localhost.example.test:1', '[fe80::1]:80', '[::ffff:10.0.0.1]:80', '2130706433', '128.0.0.1',
]

for (const address of local) {
  test(`open streams at ${address} are fine`, () => {
    expect(() => assertOpenAllowed({ isOpen: true, address, allowOpenStreams: false })).not.toThrow()
  })
}

for (const address of reachable) {
  test(`open streams at "${address}" need a word`, () => {
    const attempt = () => assertOpenAllowed({ isOpen: true, address, allowOpenStreams: false })
    expect(attempt).toThrow(expect.objectContaining({ exitCode: 78, remedy: expect.stringContaining('http.allow_open_streams') }))
    expect(() => assertOpenAllowed({ isOpen: true, address, allowOpenStreams: true })).not.toThrow()
    expect(() => assertOpenAllowed({ isOpen: false, address, allowOpenStreams: false })).not.toThrow()
  })
}
