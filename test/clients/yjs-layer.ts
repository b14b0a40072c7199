/** The package's own Yjs server in front of the server named by the first argument, as a process that yjs.test.ts starts. */
import { YjsServer } from '@durable-streams/y-durable-streams/server'

const dsServerUrl = process.argv[2]
if (!dsServerUrl) throw new Error('the first argument is the URL of the durable streams server')
const layer = new YjsServer({ port: 0, dsServerUrl, compactionThreshold: 4096 })
console.log(`ready ${await layer.start()}`)
