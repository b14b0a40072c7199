/** `headwater stream import`: streams from an archive. All of it is verified by the server before anything changes. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addExamples, exitFailed, exitOk, exitUsage, type Context } from './context.ts'
import { humanBytes, jsonLine } from './output.ts'
import { counted, startProgress } from './progress.ts'
import { addTargetFlags, expectOk, openTarget, type TargetFlags } from './target.ts'

interface ImportFlags extends TargetFlags {
  readonly onConflict: string
}

export function addImport(parent: Command, context: Context): void {
  const conflict = new Option('--on-conflict <RULE>', 'when a stream exists: refuse all, keep it, or replace it')
  const command = parent
    .command('import')
    .description('Bring in streams that `stream export` wrote; a damaged or incomplete file changes nothing')
    .argument('<file>', 'the archive, or - for stdin')
    .addOption(conflict.choices(['fail', 'skip', 'replace']).default('fail'))
    .action(context.action((file: string, flags: ImportFlags) => importStreams(context, file, flags)))
  addTargetFlags(command)
  addExamples(command, [
    ['headwater stream import all.jsonl', 'into a depot without these streams'],
    ['zstd -dc chat.jsonl.zst | headwater stream import - --on-conflict skip', 'only what is missing'],
  ])
}

async function importStreams(context: Context, file: string, flags: ImportFlags): Promise<number> {
  const source = sourceOf(context, file)
  const target = await openTarget(context, flags)
  try {
    const progress = await startProgress(context.io, `importing into ${target.name}`, source.bytes, flags.json === true)
    const body = counted(source.body, progress)
    const response = await target.control(`/import?on_conflict=${flags.onConflict}`, { method: 'POST', body })
    progress.stop(response.ok ? 'done' : 'refused; nothing was changed')
    const result: unknown = await (await expectOk(response, `import ${file}`)).json()
    if (!isResult().Check(result)) {
      throw new OperatorError('the server answers in a form that this program does not know', 'Use the same version of both.', exitFailed)
    }
    const text = `installed ${result.installed} streams, skipped ${result.skipped}; ${result.records} records, ${humanBytes(result.bytes)} in the archive\n`
    await context.io.out(flags.json === true ? jsonLine(result) : text)
    return exitOk
  } finally {
    await target.close()
  }
}

const isResult = lazily(() =>
  Compile(Type.Object({ installed: Type.Number(), skipped: Type.Number(), streams: Type.Number(), records: Type.Number(), bytes: Type.Number() })),
)

function sourceOf(context: Context, file: string): { readonly body: ReadableStream<Uint8Array>; readonly bytes: number | null } {
  if (file === '-') {
    if (!context.io.stdinIsTerminal) return { body: context.io.stdin(), bytes: null }
    throw new OperatorError('an archive is not typed in', 'Name a file, or pipe it in.', exitUsage)
  }
  const path = resolve(context.io.cwd, file)
  if (!existsSync(path)) throw new OperatorError(`there is no file ${path}`, 'Name an archive that `headwater stream export` wrote.', exitUsage)
  return { body: Bun.file(path).stream(), bytes: Bun.file(path).size }
}
