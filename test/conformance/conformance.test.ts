/** The published suite, all of it, in every storage mode over HTTP/1.1 and over TLS with HTTP/2. */
import { describe, expect, test } from 'bun:test'
import { loopbackCertificate } from '../support/certificate.ts'
import { Gate } from '../support/gate.ts'
import { startServer, type ServerOptions } from '../support/server.ts'
import { countJunit, publishedTestCount, runSuite } from './run-suite.ts'

const configurations: readonly (readonly [string, ServerOptions])[] = [
  ['memory', { mode: 'memory' }],
  ['file-fast', { mode: 'file-fast' }],
  ['file-durable', { mode: 'file-durable' }],
  ['acid with 1 shard', { mode: 'acid', shards: 1 }],
  ['acid with 16 shards', { mode: 'acid', shards: 16 }],
]

/** Mostly waiting (a run takes 18 s and 2 s of processor time), so some may run beside each other; more would only make the time-to-live tests late. */
const gate = new Gate(5)
const testMsMax = 500_000

const env = {
  // The suite's webhook receivers are plain http on the loopback address.
  DS_HTTP__ALLOW_INSECURE_WEBHOOKS: 'true',
  // Two of its tests wait for a long-poll to end by itself: a minute at the default.
  DS_SERVER__LONG_POLL_TIMEOUT_SECS: '2',
}

describe('published conformance suite', () => {
  for (const [name, options] of configurations) {
    test.concurrent(`${name} over HTTP/1.1`, async () => await gate.run(() => conforms(options)), testMsMax)
    const secure = { ...options, tls: loopbackCertificate }
    test.concurrent(`${name} over TLS and HTTP/2`, async () => await gate.run(() => conforms(secure)), testMsMax)
  }
})

test('a report with a skipped and a failed test is not taken for a whole one', () => {
  const xml = `<testsuites><testsuite><testcase name="a" /><testcase name="b"><failure type="x" /></testcase>
    <testcase name="c"><skipped /></testcase></testsuite></testsuites>`
  expect(countJunit(xml)).toEqual({ ran: 2, passed: 1, failures: ['b'] })
})

async function conforms(options: ServerOptions): Promise<void> {
  await using server = await startServer({ ...options, env })
  const result = await runSuite(server.url, options.tls?.ca)
  expect(result.failures).toEqual([])
  expect(result.ran).toBe(publishedTestCount)
  expect(server.alive).toBe(true)
}
