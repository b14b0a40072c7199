/** The form of a batch; running one is proved over HTTP. */
import { expect, test } from 'bun:test'
import { parseTransaction } from '../../../src/records/writing/transaction.ts'

const create = { Create: { api_name: 'a', value: { x: 1 } } }

test('operations of the three kinds, atomic only when it says so', () => {
  const body = { operations: [create, { Update: { api_name: 'a', record_id: '1', value: {} } }, { Delete: { api_name: 'a', record_id: '2' } }] }
  expect(parseTransaction(body)).toEqual({
    operations: [
      { kind: 'create', api: 'a', value: { x: 1 } },
      { kind: 'update', api: 'a', id: '1', value: {} },
      { kind: 'delete', api: 'a', id: '2' },
    ],
    isAtomic: false,
  })
  expect(parseTransaction({ ...body, transaction: true }).isAtomic).toBeTrue()
})

// An array among the cases would be taken for the arguments.
const wrong = [null, [], {}, { operations: {} }, { operations: [{}] }, { operations: [{ Create: { api_name: 'a', value: [] } }] }, { operations: [{ ...create, Delete: { api_name: 'a', record_id: '1' } }] }]

test.each(wrong.map(body => ({ body })))('refuses %p', ({ body }) => {
  expect(() => parseTransaction(body)).toThrow('invalid_transaction')
})

test('refuses more than 128 operations', () => {
  expect(() => parseTransaction({ operations: Array.from({ length: 129 }, () => create) })).toThrow('Batch size exceeds limit: 128')
})
