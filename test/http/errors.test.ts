/** Error answers: every code of the catalogue, faults of ours, and what the framework throws. */
import { describe, expect, test } from 'bun:test'
import { Elysia, t } from 'elysia'
import { errorResponse } from '../../src/http/errors.ts'
import { catalogue, type ErrorCode, fail, Refusal } from '../../src/lib/errors.ts'
import { type Log, type LogFields, silentLog } from '../../src/lib/log.ts'

const everyDetail = { detail: 'because', epoch: 7, allow: 'GET', tail: '1_2', expected: 3, received: 5, current_holder: 'w1', generation: 4, retryAfterSecs: 9, challenge: 'Bearer x' }

function recordingLog(): { log: Log; lines: { message: string; fields: LogFields | undefined }[] } {
  const lines: { message: string; fields: LogFields | undefined }[] = []
  return { lines, log: { ...silentLog, error: (message, fields) => void lines.push({ message, fields }) } }
}

const context = { requestId: 'req-1', log: silentLog, instance: '/v1/stream/a', method: 'POST' }
const caught = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error
  }
}

test.each(Object.keys(catalogue) as ErrorCode[])('%s has a complete answer', async code => {
  const answer = errorResponse(new Refusal(code, everyDetail as never), context)
  expect(answer.status).toBe(catalogue[code].status)
  expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
  expect(answer.headers.get('Cache-Control')).toBe('no-store')
  expect(answer.headers.get('X-Request-Id')).toBe('req-1')
  expect(await answer.json()).toMatchObject({
    type: `urn:headwater:error:${code}`, title: catalogue[code].title, status: answer.status, code, detail: 'because', instance: '/v1/stream/a', request_id: 'req-1',
  })
})

describe('refusals', () => {
  test('headers of the catalogue come from the details', () => {
    const answer = errorResponse(caught(() => fail('producer_gap', { expected: 3, received: 5 })), context)
    expect(answer.headers.get('Producer-Expected-Seq')).toBe('3')
    expect(answer.headers.get('Producer-Received-Seq')).toBe('5')
    const busy = errorResponse(caught(() => fail('overloaded', { retryAfterSecs: 9 })), context)
    expect(busy.headers.get('Retry-After')).toBe('9')
  })

  test('further details are members; header-only ones are not', async () => {
    const held = errorResponse(caught(() => fail('already_claimed', { current_holder: 'w1', generation: 4 })), context)
    expect(await held.json()).toMatchObject({ current_holder: 'w1', generation: 4 })
    const denied = errorResponse(caught(() => fail('unauthorized', { challenge: 'Bearer realm="x"' })), context)
    expect(denied.headers.get('WWW-Authenticate')).toBe('Bearer realm="x"')
    expect(await denied.json()).not.toHaveProperty('challenge')
  })

  test('details cannot take the place of a member', async () => {
    const answer = errorResponse(new Refusal('not_found', { status: 200, code: 'fine', title: 'x' } as never), context)
    expect(await answer.json()).toMatchObject({ status: 404, code: 'not_found', title: catalogue.not_found.title })
  })

  test('nothing is logged; HEAD has no body; given headers are there', async () => {
    const { log, lines } = recordingLog()
    const answer = errorResponse(caught(() => fail('stream_not_found', {})), { ...context, log, method: 'HEAD', headers: [['X-Content-Type-Options', 'nosniff']] })
    expect(lines).toEqual([])
    expect(answer.status).toBe(404)
    expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(await answer.text()).toBe('')
  })
})

const faults: Record<string, unknown> = {
  error: new Error('secret text'), type: new TypeError('secret text'), text: 'secret text', nothing: null, lookalike: { code: 'not_found', message: 'secret text' },
}
test.each(Object.keys(faults))(
  'a fault (%s) is opaque to the client and whole in the log',
  async name => {
    const fault = faults[name]
    const { log, lines } = recordingLog()
    const answer = errorResponse(fault, { ...context, log })
    expect(answer.status).toBe(500)
    const text = await answer.text()
    expect(text).toContain('"code":"internal"')
    expect(text).not.toContain('secret')
    expect(lines).toEqual([{ message: 'request failed', fields: { error: fault, request_id: 'req-1', path: '/v1/stream/a' } }])
  },
)

describe('what the framework throws', () => {
  const app = new Elysia()
    .onError(async ({ error, request }) => errorResponse(error, { ...context, method: request.method }))
    .post('/json', async ({ body }) => body as object, { parse: 'json' })
    .post('/typed', async ({ body }) => body, { body: t.Object({ n: t.Number() }) })
    .get('/fault', async () => {
      throw new Error('secret text')
    })
  const ask = async (path: string, body?: string) => {
    const init = body === undefined ? {} : { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }
    const answer = await app.handle(new Request(`http://localhost${path}`, init))
    return { status: answer.status, text: await answer.text() }
  }

  test('an unknown address, a bad body, a body that does not fit, a fault', async () => {
    const code = async (path: string, body?: string) => JSON.parse((await ask(path, body)).text).code
    expect(await code('/nowhere')).toBe('not_found')
    expect(await code('/json', '{"a":')).toBe('bad_request')
    expect(await code('/typed', '{"n":"my-password"}')).toBe('invalid_request')
    expect((await ask('/typed', '{"n":"my-password"}')).text).not.toContain('my-password')
    const fault = await ask('/fault')
    expect(fault.status).toBe(500)
    expect(fault.text).not.toContain('secret')
  })
})
