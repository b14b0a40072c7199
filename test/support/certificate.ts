/** A self-signed certificate for 127.0.0.1 and localhost, valid for a hundred years, and useless anywhere else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './command.ts'

const directory = join(repository, 'test/conformance/fixtures')

export const loopbackCertificate = {
  certPath: join(directory, 'server.crt'),
  keyPath: join(directory, 'server.key'),
  /** The certificate signs itself, so it is its own CA. */
  ca: readFileSync(join(directory, 'server.crt'), 'utf8'),
}
