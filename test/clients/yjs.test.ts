/** The published `@durable-streams/y-durable-streams`: its Yjs server layer in front of ours, and editors that converge. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { YjsProvider } from '@durable-streams/y-durable-streams'
import { join } from 'node:path'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { startServer, type Server } from '../support/server.ts'

setDefaultTimeout(60_000)

let server: Server
let layer: Layer
beforeAll(async () => {
  server = await startServer()
  layer = await startLayer()
})
afterAll(async () => {
  layer.kill()
  await server.close()
})

const waitMsMax = 15_000

for (const liveMode of ['sse', 'long-poll'] as const) {
  test(`two editors over ${liveMode} converge, one of them offline for a while`, async () => {
    const docId = `offline-${liveMode}`
    const [ada, bea] = await Promise.all([edit(docId, liveMode), edit(docId, liveMode)])
    try {
      ada.text.insert(0, 'first ')
      await until(() => bea.text.toString() === 'first ', 'the first edit')
      await bea.provider.disconnect()
      // The provider drops what is typed while it is disconnected; an editor keeps that in a document of its own.
      const offline = new Y.Doc()
      Y.applyUpdate(offline, Y.encodeStateAsUpdate(bea.doc))
      offline.getText('text').insert(0, 'Bea was offline: ')
      ada.text.insert(ada.text.length, 'written by Ada ')
      await Bun.sleep(200)
      expect(bea.text.toString()).not.toContain('Ada')
      await bea.provider.connect()
      Y.applyUpdate(bea.doc, Y.encodeStateAsUpdate(offline), 'offline copy')
      await until(() => same(ada.doc, bea.doc) && ada.text.toString().includes('offline'), 'both to converge')
      expect(ada.text.toString()).toContain('written by Ada')
      expect(bea.text.toString()).toBe(ada.text.toString())
    } finally {
      ada.close()
      bea.close()
    }
  })
}

test('a compacted document still loads, with what was written after the snapshot', async () => {
  const docId = 'compacted'
  const ada = await edit(docId, 'sse')
  try {
    for (let line = 0; line < 60; line++) {
      ada.text.insert(ada.text.length, `line ${line} ${'x'.repeat(100)}\n`)
      await Bun.sleep(10)
    }
    await until(async () => await snapshotOf(docId), 'a snapshot')
    // The layer reads on from one byte behind the snapshot's offset: the server must take that for the record border.
    ada.text.insert(ada.text.length, 'after the snapshot')
    const late = await edit(docId, 'sse')
    try {
      await until(() => same(ada.doc, late.doc), 'the late editor to converge')
      expect(late.text.toString()).toEndWith('after the snapshot')
      ada.text.insert(0, 'and live: ')
      await until(() => late.text.toString().startsWith('and live: '), 'the live edit')
    } finally {
      late.close()
    }
  } finally {
    ada.close()
  }
})

test('presence of one editor reaches the other', async () => {
  const [ada, bea] = await Promise.all([edit('presence', 'sse'), edit('presence', 'sse')])
  try {
    ada.awareness.setLocalStateField('user', { name: 'Ada' })
    await until(() => [...bea.awareness.getStates().values()].some(state => state.user?.name === 'Ada'), 'presence')
    expect(bea.awareness.getStates().get(ada.doc.clientID)).toMatchObject({ user: { name: 'Ada' } })
  } finally {
    ada.close()
    bea.close()
  }
})

interface Editor {
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly awareness: Awareness
  readonly provider: YjsProvider
  close(): void
}

interface Layer {
  readonly url: string
  kill(): void
}

async function startLayer(): Promise<Layer> {
  const cmd = [process.execPath, join(import.meta.dir, 'yjs-layer.ts'), server.url]
  // It logs every reader that goes away with a stack trace; the tests look at what the editors see.
  const child = Bun.spawn({ cmd, stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' })
  for await (const chunk of child.stdout) {
    const url = /ready (\S+)/.exec(Buffer.from(chunk).toString())?.[1]
    if (url !== undefined) return { url, kill: () => child.kill('SIGKILL') }
  }
  throw new Error('the Yjs layer did not start')
}

async function edit(docId: string, liveMode: 'sse' | 'long-poll'): Promise<Editor> {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const provider = new YjsProvider({ doc, awareness, docId, liveMode, baseUrl: `${layer.url}/v1/yjs/test`, connect: false })
  await provider.connect()
  await until(() => provider.synced, 'the first synchronisation')
  const close = () => {
    provider.destroy()
    awareness.destroy()
    doc.destroy()
  }
  return { doc, text: doc.getText('text'), awareness, provider, close }
}

async function snapshotOf(docId: string): Promise<boolean> {
  const answer = await fetch(`${layer.url}/v1/yjs/test/docs/${docId}?offset=snapshot`, { redirect: 'manual' })
  return answer.headers.get('location')?.includes('_snapshot') ?? false
}

function same(left: Y.Doc, right: Y.Doc): boolean {
  return Buffer.from(Y.encodeStateVector(left)).equals(Buffer.from(Y.encodeStateVector(right)))
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + waitMsMax
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${waitMsMax} ms for ${what}`)
    await Bun.sleep(20)
  }
}
