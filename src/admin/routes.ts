/** The control API: for the operator on the control socket or in this process, never on the public listener. Access is the socket's. */
import { Elysia } from 'elysia'
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/errors.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { ReloadAnswer } from '../ops/config-reload.ts'
import { summaryOf } from './archive.ts'
import { exportArchive, type OnConflict, type StreamAdmin } from './export.ts'
import { importArchive } from './import.ts'

export interface ControlOptions {
  readonly admin: StreamAdmin
  /** A directory on the depot's disk for archives that are being verified. */
  readonly spoolDir: string
  /** Largest archive in bytes. */
  readonly importBytesMax: number
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  /** Reads the configuration again and applies it; null where nothing runs that it could be applied to. */
  readonly reloadConfig?: (() => Promise<ReloadAnswer>) | null
}

/** Streams that one page of `GET /control/streams` holds at most. */
export const listStreamsMax = 10_000
const listStreamsDefault = 1000

/** `GET /control/streams`, `GET /control/export`, `POST /control/import`, `POST /control/config/reload`. One import at a time: a second is `overloaded`. */
export function controlRoutes(options: ControlOptions) {
  let isImporting = false
  return new Elysia({ name: 'control', prefix: '/control' })
    .get('/streams', async ({ request }) => listStreams(options.admin, queryOf(request)), { parse: 'none' })
    .get('/export', async ({ request }) => answerExport(options, queryOf(request)), { parse: 'none' })
    .post('/config/reload', async () => answerReload(options), { parse: 'none' })
    .post(
      '/import',
      async ({ request }) => {
        const onConflict = conflictOf(queryOf(request).get('on_conflict') ?? 'fail')
        if (isImporting) fail('overloaded', { detail: 'another import is running' })
        isImporting = true
        try {
          return await answerImport(options, request, onConflict)
        } finally {
          isImporting = false
        }
      },
      { parse: 'none' },
    )
}

function queryOf(request: Request): URLSearchParams {
  return new URL(request.url).searchParams
}

function conflictOf(text: string): OnConflict {
  if (text === 'fail' || text === 'skip' || text === 'replace') return text
  return fail('bad_request', { detail: `on_conflict: expected fail, skip or replace, got "${text}"` })
}

function listStreams(admin: StreamAdmin, query: URLSearchParams): Response {
  const limit = limitOf(query.get('limit'))
  const page = admin.list({ prefix: query.get('prefix') ?? '', after: query.get('after') ?? '', limit })
  const next = page.length === limit ? (page.at(-1)?.path ?? null) : null
  return Response.json({ streams: page.map(summaryOf), next }, { headers: { 'Cache-Control': 'no-store' } })
}

function limitOf(text: string | null): number {
  if (text === null) return listStreamsDefault
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > listStreamsMax) fail('bad_request', { detail: `limit: expected 1 to ${listStreamsMax}, got "${text}"` })
  return limit
}

function answerExport(options: ControlOptions, query: URLSearchParams): Response {
  const body = exportArchive(options.admin, { prefix: query.get('prefix') ?? '', clock: options.clock })
  return new Response(body, { headers: { 'Content-Type': 'application/jsonl', 'Cache-Control': 'no-store' } })
}

async function answerReload({ reloadConfig }: ControlOptions): Promise<Response> {
  if (reloadConfig === undefined || reloadConfig === null) return fail('not_found', { detail: 'there is no server here that has read a configuration' })
  const answer = await reloadConfig()
  if (answer.problem !== null) fail('config_rejected', { detail: answer.problem })
  const { applied, needsRestart, warnings } = answer
  return Response.json({ applied, needs_restart: needsRestart, warnings }, { headers: { 'Cache-Control': 'no-store' } })
}

async function answerImport(options: ControlOptions, request: Request, onConflict: OnConflict): Promise<Response> {
  if (request.body === null) fail('empty_body', { detail: 'the body is the archive' })
  const result = await importArchive(options.admin, request.body, { ...options, onConflict })
  options.log.info('archive imported', { ...result, onConflict })
  return Response.json(result, { headers: { 'Cache-Control': 'no-store' } })
}
