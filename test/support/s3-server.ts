/** An S3 service for tests: objects in memory, requests checked by their signature (AWS Signature Version 4). Only what a store of files needs. */
import { createHash, createHmac } from 'node:crypto'

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly accessKey: string
  readonly secretAccessKey: string
  readonly objects: Map<string, Uint8Array<ArrayBuffer>>
  /** Uploads in parts that are neither complete nor ended. */
  readonly uploads: Map<string, Map<number, Uint8Array<ArrayBuffer>>>
  /** What was asked, `PUT key`. */
  readonly requests: string[]
  /** Answers with this status instead of doing what is asked, where it says so. */
  refuse: (request: string) => number | null
}

const region = 'eu-test-1'
const bucket = 'files'
const accessKey = 'AKTEST'
const secretAccessKey = 'the secret of the bucket'

export function startS3Server(): S3Server {
  const state: Pick<S3Server, 'objects' | 'uploads' | 'requests' | 'refuse'> = { objects: new Map(), uploads: new Map(), requests: [], refuse: () => null }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    maxRequestBodySize: 512 * 1024 * 1024,
    async fetch(request) {
      const body = await request.bytes()
      const problem = signatureProblem(request, body)
      if (problem !== null) return xmlError(403, 'SignatureDoesNotMatch', problem)
      const { pathname, searchParams } = new URL(request.url)
      const [, name, key = ''] = /^\/([^/]+)\/(.+)$/.exec(pathname) ?? []
      if (name !== bucket) return xmlError(404, 'NoSuchBucket')
      const what = `${request.method} ${decodeURIComponent(key)}`
      state.requests.push(`${what}${searchParams.has('partNumber') ? ` part ${searchParams.get('partNumber')}` : ''}`)
      const status = state.refuse(what)
      if (status !== null) return xmlError(status, 'InternalError')
      return searchParams.has('uploads') || searchParams.has('uploadId') ? multipart(state, request.method, decodeURIComponent(key), searchParams, body) : single(state, request, decodeURIComponent(key), body)
    },
  })
  return Object.assign(state, {
    endpoint: `http://127.0.0.1:${server.port}`,
    bucket,
    region,
    accessKey,
    secretAccessKey,
    async [Symbol.asyncDispose]() {
      await server.stop(true)
    },
  })
}

type State = Pick<S3Server, 'objects' | 'uploads'>

function single({ objects }: State, request: Request, key: string, body: Uint8Array<ArrayBuffer>): Response {
  if (request.method === 'PUT') {
    objects.set(key, body)
    return new Response(null, { headers: { ETag: etag(body) } })
  }
  if (request.method === 'DELETE') {
    objects.delete(key)
    return new Response(null, { status: 204 })
  }
  const object = objects.get(key)
  if (object === undefined) return request.method === 'HEAD' ? new Response(null, { status: 404 }) : xmlError(404, 'NoSuchKey')
  const headers = { ETag: etag(object), 'Last-Modified': new Date(Date.UTC(2026, 0, 1)).toUTCString(), 'Content-Type': 'application/octet-stream' }
  if (request.method === 'HEAD') return new Response(null, { headers: { ...headers, 'Content-Length': String(object.length) } })
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('range') ?? '') ?? []
  if (first === undefined) return new Response(object, { headers })
  const end = last === '' || last === undefined ? object.length : Number(last) + 1
  return new Response(object.slice(Number(first), end), { status: 206, headers: { ...headers, 'Content-Range': `bytes ${first}-${end - 1}/${object.length}` } })
}

function multipart({ objects, uploads }: State, method: string, key: string, query: URLSearchParams, body: Uint8Array<ArrayBuffer>): Response {
  if (query.has('uploads')) {
    const id = `upload-${crypto.randomUUID()}`
    uploads.set(id, new Map())
    return xml(`<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
  }
  const id = query.get('uploadId') ?? ''
  const parts = uploads.get(id)
  if (parts === undefined) return xmlError(404, 'NoSuchUpload')
  if (method === 'PUT') {
    parts.set(Number(query.get('partNumber')), body)
    return new Response(null, { headers: { ETag: etag(body) } })
  }
  uploads.delete(id)
  if (method === 'DELETE') return new Response(null, { status: 204 })
  const sorted = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part)
  if (sorted.slice(0, -1).some(part => part.length < 5 * 1024 * 1024)) return xmlError(400, 'EntityTooSmall')
  objects.set(key, new Uint8Array(Buffer.concat(sorted)))
  return xml(`<CompleteMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><ETag>"whole"</ETag></CompleteMultipartUploadResult>`)
}

/** Why the signature does not fit; null when it does. */
function signatureProblem(request: Request, body: Uint8Array): string | null {
  const header = request.headers.get('authorization') ?? ''
  const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(header)
  if (found === null) return 'no signature'
  const [, key, day = '', place = '', signed = '', signature] = found
  if (key !== accessKey || place !== region) return 'another key or region'
  const payload = request.headers.get('x-amz-content-sha256') ?? ''
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) return 'the body is another'
  for (const needed of ['host', 'x-amz-date', 'x-amz-content-sha256']) if (!signed.split(';').includes(needed)) return `${needed} is not signed`
  const stamp = request.headers.get('x-amz-date') ?? ''
  const url = new URL(request.url)
  const names = signed.split(';')
  const canonical = [
    request.method,
    url.pathname,
    [...url.search.slice(1).split('&')].filter(pair => pair !== '').map(pair => (pair.includes('=') ? pair : `${pair}=`)).sort().join('&'),
    ...names.map(name => `${name}:${(request.headers.get(name) ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signed,
    payload,
  ].join('\n')
  const scope = `${day}/${place}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', stamp, scope, sha256(Buffer.from(canonical))].join('\n')
  const signingKey = [day, place, 's3', 'aws4_request'].reduce<Buffer>((made, part) => hmac(made, part), Buffer.from(`AWS4${secretAccessKey}`))
  return stamp.startsWith(day) && hmac(signingKey, text).toString('hex') === signature ? null : `the signature is not that of ${canonical}`
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function etag(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}

function xml(text: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`, { headers: { 'Content-Type': 'application/xml' } })
}

function xmlError(status: number, code: string, message = ''): Response {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message.replace(/[<&]/g, '_')}</Message></Error>`
  return new Response(text, { status, headers: { 'Content-Type': 'application/xml' } })
}
