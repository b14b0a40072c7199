/** The published suite against CONFORMANCE_URL. Run by run-suite.ts as its own `bun test` process, never found by name. */
import './shim.ts'
import { runConformanceTests } from '@durable-streams/server-conformance-tests'

const baseUrl = Bun.env.CONFORMANCE_URL
if (!baseUrl) throw new Error('CONFORMANCE_URL names the server under test')
runConformanceTests({ baseUrl, subscriptions: true })
