/** Names of routes for metrics: few, whatever is asked. */
import { expect, test } from 'bun:test'
import { recordRoute } from '../../src/records/record-route.ts'

test.each([
  ['GET', '/api/records/v1/posts', 'record_list'],
  ['GET', '/api/records/v1/posts/?limit=5', 'record_list'],
  ['POST', '/api/records/v1/posts', 'record_create'],
  ['PUT', '/api/records/v1/posts', 'records'],
  ['GET', '/api/records/v1/posts/5?expand=a/b', 'record_read'],
  ['HEAD', '/api/records/v1/posts/5', 'record_read'],
  ['PATCH', '/api/records/v1/posts/5', 'record_update'],
  ['DELETE', '/api/records/v1/posts/5', 'record_delete'],
  ['GET', '/api/records/v1/posts/schema?mode=Insert', 'record_schema'],
  ['GET', '/api/records/v1/posts/schemata', 'record_read'],
  ['GET', '/api/records/v1/posts/subscribe/*', 'record_subscribe'],
  ['GET', '/api/records/v1/posts/5/file/image', 'record_file'],
  ['GET', '/api/records/v1/posts/5/files/image/a.png', 'record_file'],
  ['POST', '/api/transaction/v1/execute', 'record_transaction'],
  ['GET', '/v1/stream/api/records/v1/a', null],
  ['GET', '/', null],
] as const)('%s %s', (method, path, name) => expect(recordRoute(`http://hw${path}`, method)).toBe(name))
