/** The name of the route that a request to the record APIs takes, for metrics and the access log: one of a few, never a part of the address. */

const recordsRoot = '/api/records/v1/'
const transactionRoot = '/api/transaction/'
const byMethod: Readonly<Record<string, string>> = { GET: 'record_read', HEAD: 'record_read', PATCH: 'record_update', DELETE: 'record_delete' }

/** Null for other addresses. */
export function recordRoute(url: string, method: string): string | null {
  const at = url.indexOf('/', url.indexOf('//') + 2)
  if (url.startsWith(transactionRoot, at)) return 'record_transaction'
  if (!url.startsWith(recordsRoot, at)) return null
  const nameAt = at + recordsRoot.length
  const queryAt = url.indexOf('?', nameAt)
  const end = queryAt < 0 ? url.length : queryAt
  const slash = url.indexOf('/', nameAt)
  if (slash < 0 || slash >= end - 1) return method === 'POST' ? 'record_create' : method === 'GET' || method === 'HEAD' ? 'record_list' : 'records'
  const next = url.indexOf('/', slash + 1)
  if (next < 0 || next >= end) return url.startsWith('schema', slash + 1) && end === slash + 7 ? 'record_schema' : (byMethod[method] ?? 'records')
  if (url.startsWith('subscribe/', slash + 1)) return 'record_subscribe'
  return url.startsWith('file', next + 1) ? 'record_file' : 'records'
}
