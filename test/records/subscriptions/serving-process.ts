/** A process that serves records of the depot in argv[2], to be killed: prints its address. */
import { apis, sql } from './serving-scene.ts'
import { startRecordServer } from '../../support/record-server.ts'

const server = await startRecordServer({ directory: process.argv[2] ?? '', sql, apis })
process.stdout.write(`${server.url}\n`)
