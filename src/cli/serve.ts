/** `headwater serve`: run the server until a signal stops it. What it runs is app.ts. */
import type { Command } from 'commander'
import { loadConfig } from '../ops/config.ts'
import { addConfigFlags, inputsOf } from './configured.ts'
import { addExamples, type Context } from './context.ts'

export function addServe(program: Command, context: Context): void {
  const command = program
    .command('serve')
    .alias('run')
    .description('Run the server. Flags override the environment, which overrides the config file')
    .action(
      context.action(async (flags: object) => {
        const load = () => loadConfig(inputsOf(context, flags))
        return context.product.serve(load(), load)
      }),
    )
  addConfigFlags(command, 'all')
  addExamples(command, [
    ['headwater serve', 'on 127.0.0.1:4437, everything in ./depot'],
    ['headwater serve --depot /var/lib/headwater --address 0.0.0.0:4437', 'for other machines; needs stream_apis or http.allow_open_streams'],
    ['headwater serve --tls-cert cert.pem --tls-key key.pem', 'HTTPS with HTTP/2'],
    ['DS_STORAGE__MODE=file-durable headwater serve', 'every option has a variable: docs/configuration.md'],
  ])
}
