/** `headwater stream …`: work with streams from the shell. Each command is a file of its own. */
import type { Command } from 'commander'
import { addExamples, type Context } from './context.ts'
import { addAppend } from './stream-append.ts'
import { addCreate } from './stream-create.ts'
import { addExport } from './stream-export.ts'
import { addImport } from './stream-import.ts'
import { addLs } from './stream-ls.ts'
import { addRm } from './stream-rm.ts'
import { addTail } from './stream-tail.ts'

export function addStream(program: Command, context: Context): void {
  const stream = program
    .command('stream')
    .description('List, create, append to, follow, export, import and remove streams')
  addLs(stream, context)
  addCreate(stream, context)
  addAppend(stream, context)
  addTail(stream, context)
  addExport(stream, context)
  addImport(stream, context)
  addRm(stream, context)
  addExamples(stream, [
    ['headwater stream create chat/1 --content-type application/json', 'a stream of JSON messages'],
    [`headwater stream append chat/1 '{"text":"hello"}'`, 'one message'],
    ['headwater stream tail chat/1 --follow', 'read all, then wait for more'],
    ['headwater stream export --output all.jsonl', 'everything, offsets included'],
  ])
}
