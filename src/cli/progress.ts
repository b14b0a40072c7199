/** A progress bar on stderr while somebody watches a terminal; nothing otherwise. */
import type { Io } from './io.ts'
import { humanBytes } from './output.ts'

export interface Progress {
  /** Work done so far, in the unit of `total`. */
  at(done: number): void
  stop(message: string): void
}

const steps = 1000

/** Starts a bar titled `title` for `totalBytes` bytes, or a plain counter when the total is not known (null). */
export async function startProgress(io: Io, title: string, totalBytes: number | null, isJson: boolean): Promise<Progress> {
  if (!io.stderrIsTerminal || isJson) return { at() {}, stop() {} }
  const { progress } = await import('@clack/prompts')
  const bar = progress({ max: steps, output: process.stderr })
  bar.start(title)
  let step = 0
  return {
    at(done) {
      const next = totalBytes === null || totalBytes === 0 ? 0 : Math.floor((Math.min(done, totalBytes) / totalBytes) * steps)
      bar.advance(next - step, `${title} ${humanBytes(done)}${totalBytes === null ? '' : ` of ${humanBytes(totalBytes)}`}`)
      step = next
    },
    stop: message => bar.stop(message),
  }
}

/** Passes `source` through and tells `progress` how much went by. */
export function counted(source: ReadableStream<Uint8Array>, progress: Progress): ReadableStream<Uint8Array> {
  let done = 0
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        done += chunk.byteLength
        progress.at(done)
        controller.enqueue(chunk)
      },
    }),
  )
}
