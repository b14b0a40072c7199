/** `headwater stream export`: streams to a file that keeps their offsets. The archive is verified while it is written. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ArchiveReader, archiveLineBytesMax, type ArchiveTotals } from '../admin/archive.ts'
import { LineSplitter } from '../admin/lines.ts'
import { OperatorError, Refusal } from '../lib/errors.ts'
import { addExamples, exitFailed, exitOk, exitUsage, type Context } from './context.ts'
import { humanBytes, jsonLine } from './output.ts'
import { startProgress, type Progress } from './progress.ts'
import { addTargetFlags, expectOk, openTarget, type TargetFlags } from './target.ts'
import { toFile } from './whole-file.ts'

interface ExportFlags extends TargetFlags {
  readonly output?: string
}

type Sink = (chunk: Uint8Array) => Promise<void>

export function addExport(parent: Command, context: Context): void {
  const command = parent
    .command('export')
    .description('Write streams with their offsets, settings and producers to a file (JSON lines with checksums)')
    .argument('[prefix]', 'only streams whose path starts with this', '')
    .option('-o, --output <FILE>', 'the file; it appears when it is complete (default: stdout)')
    .action(context.action((prefix: string, flags: ExportFlags) => exportStreams(context, prefix, flags)))
  addTargetFlags(command)
  addExamples(command, [
    ['headwater stream export --output all.jsonl', 'everything'],
    ['headwater stream export chat/ | zstd > chat.jsonl.zst', 'compressed'],
  ])
}

async function exportStreams(context: Context, prefix: string, flags: ExportFlags): Promise<number> {
  if (flags.output === undefined && context.io.stdoutIsTerminal) {
    throw new OperatorError('an archive is not for a terminal', 'Give --output FILE, or pipe it.', exitUsage)
  }
  const target = await openTarget(context, flags)
  try {
    const query = new URLSearchParams({ prefix })
    const response = await expectOk(await target.control(`/export?${query}`), 'export')
    const progress = await startProgress(context.io, `exporting from ${target.name}`, null, flags.json === true)
    const pump = (sink: Sink) => verified(response, sink, progress)
    const output = flags.output
    const totals = output === undefined ? await pump(chunk => context.io.out(chunk)) : await toFile(resolve(context.io.cwd, output), pump)
    const summary = `${totals.streams} streams, ${totals.records} records, ${humanBytes(totals.bytes)}`
    progress.stop(summary)
    if (output !== undefined) await context.io.out(flags.json === true ? jsonLine({ ...totals, file: output }) : `${output}: ${summary}\n`)
    return exitOk
  } finally {
    await target.close()
  }
}

/** Passes the archive on to `sink`, and throws unless it is whole. */
async function verified(response: Response, sink: Sink, progress: Progress): Promise<ArchiveTotals> {
  const reader = new ArchiveReader()
  const splitter = new LineSplitter({ lineBytesMax: archiveLineBytesMax, tooLong: () => cutOff('a line is too long') })
  let bytes = 0
  try {
    for await (const chunk of response.body ?? []) {
      for (const line of splitter.push(chunk)) reader.take(line)
      await sink(chunk)
      bytes += chunk.byteLength
      progress.at(bytes)
    }
    return reader.finish()
  } catch (error) {
    if (error instanceof Refusal) return cutOff(error.message)
    throw error
  }
}

function cutOff(why: string): never {
  const remedy = 'What was written is not complete. The log of the server says why it stopped; `headwater check` finds damaged data.'
  throw new OperatorError(`the export broke off (${why})`, remedy, exitFailed)
}
