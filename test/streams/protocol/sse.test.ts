/** Event frames: no payload begins an event of its own, control follows data, characters are not cut. */
import { expect, test } from 'bun:test'
import { controlFrame, dataFrame, endsInsideCharacter, pageFrame, sseEncoding } from '../../../src/streams/protocol/sse.ts'

const control = { incarnation: 0, at: 5, cursor: 9, upToDate: true, closed: false }

/** What an EventSource makes of a frame. */
function events(frame: Uint8Array): { event: string; data: string }[] {
  return Buffer.from(frame).toString().split('\n\n').filter(part => part !== '').map(part => {
    const lines = part.split(/\r\n|\r|\n/)
    const data = lines.flatMap(line => (line.startsWith('data:') ? [line.slice('data:'.length).replace(/^ /, '')] : []))
    expect(lines.every(line => /^(event|data):/.test(line))).toBe(true)
    return { event: lines.find(line => line.startsWith('event:'))?.slice('event: '.length) ?? '', data: data.join('\n') }
  })
}

test.each(['plain', '', 'two\nlines', 'x\r\ny\rz', '\n', '\n\nevent: control\ndata:{}\n\n', 'data:x\r\rid: 1', '\r\n\r\n'])('%j comes back as one data event', text => {
  const got = events(pageFrame(dataFrame(Buffer.from(text), 'text'), control))
  expect(got.map(each => each.event)).toEqual(['data', 'control'])
  expect(got[0]?.data).toBe(text.replaceAll(/\r\n|\r/g, '\n').replace(/^ /, ''))
})

test('other bytes go as base64', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  const [data] = events(pageFrame(dataFrame(bytes, 'base64'), control))
  expect(Buffer.from(data?.data ?? '', 'base64')).toEqual(Buffer.from(bytes))
  expect(['text/html', 'application/json', 'application/jsonl', 'image/png'].map(sseEncoding)).toEqual(['text', 'text', 'base64', 'base64'])
})

test('the control event tells the place, and the end without a cursor', () => {
  expect(controlFrame(control)).toContain('{"streamNextOffset":"0000000000000000_0000000000000005","streamCursor":"9","upToDate":true}')
  expect(controlFrame({ ...control, upToDate: false })).not.toContain('upToDate')
  expect(controlFrame({ ...control, closed: true })).toContain('"upToDate":true,"streamClosed":true}')
})

test('a cut inside a character is seen at every length', () => {
  for (const character of ['a', 'ü', '€', '😀']) {
    const bytes = Buffer.from(`x${character}`)
    for (let length = 1; length <= bytes.length; length++) {
      expect(endsInsideCharacter(bytes.subarray(0, length))).toBe(length > 1 && length < bytes.length)
    }
  }
  expect(endsInsideCharacter(new Uint8Array(0))).toBe(false)
})
