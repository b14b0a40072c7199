/** The records that the crash harness writes: each names its stream, producer and number, and its bytes follow from them. */

export type Kind = 'binary' | 'json'

/** One number for (stream, producer, number): what ledger and readers remember of a record. */
export type Key = number

const numbersMax = 1_000_000
const producersMax = 128
/** Producers of the harness itself, above the 64 writers. */
export const closer = 126
export const creator = 127

export const contentType = { binary: 'application/octet-stream', json: 'application/json' } as const

export function keyOf(stream: number, producer: number, number: number): Key {
  return (stream * producersMax + producer) * numbersMax + number
}

export function partsOf(key: Key): { readonly stream: number; readonly producer: number; readonly number: number } {
  const pair = Math.floor(key / numbersMax)
  return { stream: Math.floor(pair / producersMax), producer: pair % producersMax, number: key % numbersMax }
}

/** A request body of `count` records from `first` on. */
export function bodyOf(kind: Kind, stream: number, producer: number, first: number, count: number): string {
  const texts = Array.from({ length: count }, (_, at) => textOf(kind, keyOf(stream, producer, first + at)))
  return kind === 'json' ? `[${texts.join(',')}]` : texts.join('')
}

/** The records in `text` as a reader got it; throws when a byte is not the one that was written. */
export function parseRecords(kind: Kind, text: string): Key[] {
  return kind === 'json' ? parseJson(text) : parseLines(text)
}

function textOf(kind: Kind, key: Key): string {
  const { stream, producer, number } = partsOf(key)
  const filler = fillerOf(key)
  if (kind === 'json') return JSON.stringify({ s: stream, p: producer, n: number, f: filler })
  return `${stream} ${producer} ${number} ${filler}\n`
}

/** Mostly short, now and then longer than a page and longer than a socket buffer. */
function fillerOf(key: Key): string {
  const mixed = Math.imul((key % 2_147_483_647) ^ 0x5bd1e995, 0x9e3779b1) >>> 0
  const length = mixed % 509 === 0 ? 70_000 : mixed % 53 === 0 ? 5000 : mixed % 200
  return 'abcdefghijklmnopqrstuvwxyz'.charAt(mixed % 26).repeat(length)
}

function parseJson(text: string): Key[] {
  const elements: unknown = JSON.parse(text)
  if (!Array.isArray(elements)) throw new Error(`a JSON answer is an array, not ${text.slice(0, 80)}`)
  return elements.map(element => checked('json', JSON.stringify(element), keyOf(element?.s, element?.p, element?.n)))
}

function parseLines(text: string): Key[] {
  if (text === '') return []
  if (!text.endsWith('\n')) throw new Error(`a torn record at the end: ${text.slice(-80)}`)
  return text
    .slice(0, -1)
    .split('\n')
    .map(line => {
      const [stream, producer, number] = line.split(' ', 3).map(Number)
      return checked('binary', `${line}\n`, keyOf(stream ?? NaN, producer ?? NaN, number ?? NaN))
    })
}

function checked(kind: Kind, text: string, key: Key): Key {
  if (!Number.isSafeInteger(key) || textOf(kind, key) !== text) throw new Error(`bytes that nobody wrote: ${text.slice(0, 120)}`)
  return key
}
