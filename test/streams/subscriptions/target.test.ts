/** Where webhooks may go: the corpus of addresses that must never be reached. */
import { describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { checkWebhookUrl, pinTargets } from '../../../src/streams/subscriptions/target.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'
import { caller, live, refusal, webhook } from './server.ts'

const clock = new FakeClock()

/** Refused in production. `dev`: allowed on a developer's machine (`allowInsecureWebhooks`). */
const hostile: readonly { readonly url: string; readonly dev?: true }[] = [
  // not https
  { url: 'http://hooks.example.com/' },
  { url: 'http://93.184.215.14/' },
  { url: 'ftp://hooks.example.com/' },
  { url: 'file:///etc/passwd' },
  { url: 'gopher://127.0.0.1:11211/_stats' },
  { url: 'unix:/run/docker.sock' },
  { url: 'javascript:alert(1)' },
  { url: '//hooks.example.com/' },
  { url: 'hooks.example.com/hook' },
  { url: '' },
  // this machine
  { url: 'http://localhost/', dev: true },
  { url: 'http://LOCALHOST:8080/x', dev: true },
  { url: 'http://127.0.0.1/', dev: true },
  { url: 'http://127.0.0.53:53/', dev: true },
  { url: 'https://127.255.255.254/', dev: true },
  { url: 'http://[::1]/', dev: true },
  { url: 'https://localhost/', dev: true },
  { url: 'https://api.localhost/' },
  { url: 'https://localhost./' },
  { url: 'https://localhost.localdomain/' },
  { url: 'https://printer.local/' },
  { url: 'https://vault.internal/' },
  // private, shared and local networks
  { url: 'https://10.0.0.1/' },
  { url: 'https://10.255.255.255/' },
  { url: 'https://172.16.0.1/' },
  { url: 'https://172.31.255.255/' },
  { url: 'https://192.168.1.1/' },
  { url: 'https://100.64.0.1/' },
  { url: 'https://100.127.255.255/' },
  { url: 'https://169.254.0.1/' },
  { url: 'https://0.0.0.0/' },
  { url: 'https://0.1.2.3/' },
  // metadata of the clouds
  { url: 'https://169.254.169.254/latest/meta-data/' },
  { url: 'http://169.254.169.254/latest/meta-data/' },
  { url: 'https://metadata.google.internal/computeMetadata/v1/' },
  { url: 'https://100.100.100.200/' },
  { url: 'https://168.63.129.16/' },
  { url: 'https://192.0.0.192/' },
  { url: 'https://[fd00:ec2::254]/' },
  // multicast, broadcast, reserved, documentation, benchmarks
  { url: 'https://224.0.0.1/' },
  { url: 'https://239.255.255.250/' },
  { url: 'https://255.255.255.255/' },
  { url: 'https://240.0.0.1/' },
  { url: 'https://192.0.2.1/' },
  { url: 'https://198.51.100.7/' },
  { url: 'https://203.0.113.9/' },
  { url: 'https://198.18.0.1/' },
  // other spellings of addresses
  { url: 'http://2130706433/' },
  { url: 'https://2130706433/' },
  { url: 'https://0x7f000001/' },
  { url: 'https://0x7f.0.0.1/' },
  { url: 'https://0177.0.0.1/' },
  { url: 'https://127.1/' },
  { url: 'https://10.1/' },
  { url: 'https://134744072/' },
  { url: 'https://0x08080808/' },
  { url: 'https://1.2.3.4./' },
  { url: 'https://127。0。0。1/' },
  { url: 'https://①②⑦.0.0.1/' },
  { url: 'https://%31%32%37.0.0.1/' },
  // IPv6
  { url: 'https://[::]/' },
  { url: 'https://[::ffff:127.0.0.1]/' },
  { url: 'https://[::ffff:10.0.0.1]/' },
  { url: 'https://[::ffff:a9fe:a9fe]/' },
  { url: 'https://[::127.0.0.1]/' },
  { url: 'https://[64:ff9b::a9fe:a9fe]/' },
  { url: 'https://[2002:7f00:1::]/' },
  { url: 'https://[2001:0:53aa:64c::]/' },
  { url: 'https://[2001:db8::1]/' },
  { url: 'https://[fe80::1]/' },
  { url: 'https://[fe80::1%25eth0]/' },
  { url: 'https://[fc00::1]/' },
  { url: 'https://[fd12:3456:789a::1]/' },
  { url: 'https://[fec0::1]/' },
  { url: 'https://[ff02::1]/' },
  { url: 'https://[100::1]/' },
  // tricks with the authority
  { url: 'https://user@hooks.example.com/' },
  { url: 'https://user:secret@hooks.example.com/' },
  { url: 'https://hooks.example.com@127.0.0.1/' },
  { url: 'https://hooks.example.com:443@127.0.0.1/' },
  { url: 'https://127.0.0.1\\@hooks.example.com/' },
  { url: 'https:\\\\127.0.0.1/' },
  { url: 'https:/127.0.0.1/' },
  { url: 'https:127.0.0.1/' },
  { url: 'https://hooks.example.com\t/' },
  { url: 'https://hooks.exa\nmple.com/' },
  { url: ' https://hooks.example.com/' },
  { url: 'https://hooks.example.com:0x50/' },
  { url: 'https://hooks.example.com:99999/' },
  { url: `https://hooks.example.com/${'a'.repeat(2_048)}` },
]

const harmless: readonly string[] = [
  'https://hooks.example.com/',
  'https://hooks.example.com:8443/a/b?c=d&e=%20#f',
  'https://93.184.215.14/hook',
  'https://[2606:4700::1111]/hook',
  'https://xn--bcher-kva.example/',
  'https://172.32.0.1/',
  'https://100.128.0.1/',
  'https://192.169.0.1/',
  'https://a_b.example.com/x',
  'https://localhost.example.com/',
]

/** Names that look harmless, and where they lead. */
const rebound: readonly (readonly [string, readonly string[]])[] = [
  ['https://private.example.com/', ['10.0.0.1']],
  ['https://loop.example.com/', ['127.0.0.1']],
  ['https://loop6.example.com/', ['::1']],
  ['https://metadata.example.com/', ['169.254.169.254']],
  ['https://mapped.example.com/', ['::ffff:192.168.0.1']],
  ['https://one-of-two.example.com/', ['93.184.215.14', '192.168.0.1']],
  ['https://one-of-two6.example.com/', ['2606:4700::1111', 'fe80::1']],
  ['https://zone.example.com/', ['fe80::1%eth0']],
  ['https://nonsense.example.com/', ['not an address']],
]

describe('the corpus', () => {
  test('holds at least 60 hostile URLs', () => expect(hostile.length + rebound.length).toBeGreaterThanOrEqual(60))

  test.each(hostile.map(entry => [entry.url.slice(0, 80), entry] as const))('refuses %s', (_shown, { url, dev }) => {
    expect(codeOf(() => checkWebhookUrl(url, false))).toBe('webhook_url_rejected')
    expect(codeOf(() => checkWebhookUrl(url, true))).toBe(dev ? null : 'webhook_url_rejected')
  })

  test.each(harmless)('allows %s', url => {
    expect(codeOf(() => checkWebhookUrl(url, false))).toBeNull()
  })

  test.each(rebound)('refuses %s → %p', async (url, addresses) => {
    expect(await refusal(pinTargets(url, true, async () => addresses, { clock }))).toBe('webhook_url_rejected')
  })

  test('localhost that leads elsewhere is refused even in development', async () => {
    expect(await refusal(pinTargets('http://localhost/', true, async () => ['93.184.215.14'], { clock }))).toBe('webhook_url_rejected')
  })

  test('no subscription, no look-up of refused URLs, no connection', async () => {
    let connections = 0
    const store = new MemoryStore()
    const count = async () => {
      connections++
      return new Response()
    }
    const resolve = async (name: string) => rebound.find(([url]) => url.includes(`//${name}/`))?.[1] ?? ['93.184.215.14']
    const { subscriptions } = await live(store, clock, { allowInsecureWebhooks: false, fetch: count, resolve })
    for (const url of [...hostile.map(entry => entry.url), ...rebound.map(([name]) => name)]) {
      if (url !== '') expect(await refusal(subscriptions.create('s', webhook(url), caller))).toBe('webhook_url_rejected')
    }
    store.create('events/a', '{}')
    await clock.advance(120_000)
    expect(connections).toBe(0)
    await subscriptions.stop()
  })
})

describe('pinning', () => {
  test('connects to the checked address under the name', async () => {
    const targets = await pinTargets('https://hooks.example.com:8443/a?b#c', false, async () => ['2606:4700::1111', '93.184.215.14'], { clock })
    expect(targets).toEqual([
      { url: 'https://93.184.215.14:8443/a?b', host: 'hooks.example.com:8443', serverName: 'hooks.example.com' },
      { url: 'https://[2606:4700::1111]:8443/a?b', host: 'hooks.example.com:8443', serverName: 'hooks.example.com' },
    ])
  })

  test('asks for a name once', async () => {
    let asked = 0
    const resolve = async () => [++asked === 1 ? '93.184.215.14' : '127.0.0.1']
    const [target] = await pinTargets('https://rebind.example.com/', false, resolve, { clock })
    expect([asked, target?.url]).toEqual([1, 'https://93.184.215.14/'])
  })

  test('a resolver that hangs is given up after 5 s, or when the delivery ends', async () => {
    const hang = () => new Promise<never>(() => {})
    const slow = refusal(pinTargets('https://slow.example.com/', false, hang, { clock }))
    await clock.advance(5_000)
    expect(await slow).toContain('5000 ms')
    const end = new AbortController()
    const cut = refusal(pinTargets('https://slow.example.com/', false, hang, { clock, signal: end.signal }))
    end.abort()
    expect(await cut).toContain('broken off')
  })
})

function codeOf(act: () => unknown): string | null {
  try {
    act()
    return null
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}
