#!/usr/bin/env bun
/** Makes a depot of a chat with 1,000,000 messages, the same ones each time. The rows are made by SQL when the server first starts; serving is `headwater serve`. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const messagesDefault = 1_000_000
/** Rooms and people grow with the messages, up to these. */
const roomsMax = 1000
const usersMax = 1000
const membersPerRoom = 10
const messagesMax = 100_000_000

export interface MillionOptions {
  readonly messages: number
  /** Password of every user, `user0@example.org` and so on. */
  readonly password: string
}

/** Writes config and migrations into `depot`. */
export function buildMillion(depot: string, { messages, password }: MillionOptions): void {
  mkdirSync(depot, { recursive: true, mode: 0o700 })
  cpSync(join(import.meta.dir, 'config.textproto'), join(depot, 'config.textproto'))
  cpSync(join(import.meta.dir, 'migrations'), join(depot, 'migrations'), { recursive: true })
  writeFileSync(join(depot, 'migrations/main/U1790000001__rows.sql'), rowsSql(messages, password))
}

/**
 * The same rows each time: ids are made of the row's number, and spread by the multiplier of Knuth's hash. User `i` is a member of the rooms
 * `i … i + 9`, and only members write.
 */
function rowsSql(messages: number, password: string): string {
  const rooms = Math.max(1, Math.min(roomsMax, Math.ceil(messages / 100)))
  const users = Math.max(1, Math.min(usersMax, rooms))
  const roomId = (n: string) => `unhex(printf('0190000000007000a000%012x', ${n}))`
  const userId = (n: string) => `unhex(printf('0190000000004000b000%012x', ${n}))`
  const numbers = (count: number) => `WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ${count})`
  return `-- ${messages} messages of ${users} users in ${rooms} rooms.
INSERT INTO room (id, name) ${numbers(rooms)} SELECT ${roomId('n')}, 'Room ' || n FROM number;

-- One hash for all: each costs what a sign-in costs.
CREATE TEMP TABLE secret AS SELECT hash_password('${password.replaceAll("'", "''")}') AS hash;
INSERT INTO _user (id, email, password_hash) ${numbers(users)} SELECT ${userId('n')}, 'user' || n || '@example.org', hash FROM number, secret;
DROP TABLE secret;

INSERT OR IGNORE INTO room_member (room, user) ${numbers(users * membersPerRoom)}
SELECT ${roomId(`(n / ${membersPerRoom} + n % ${membersPerRoom}) % ${rooms}`)}, ${userId(`n / ${membersPerRoom}`)} FROM number;

INSERT INTO message (id, room, author, text, sent) ${numbers(messages)}
SELECT n + 1,
  ${roomId(`(n * 2654435761 % ${users} + n % ${membersPerRoom}) % ${rooms}`)},
  ${userId(`n * 2654435761 % ${users}`)},
  'Message ' || n || ': ' || substr('The quick brown fox jumps over the lazy dog, again and again and again.', 1, 10 + n * 2654435761 / 65536 % 60),
  1700000000 + n
FROM number;
`
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { depot: { type: 'string', default: 'million-depot' }, messages: { type: 'string', default: String(messagesDefault) }, password: { type: 'string', default: 'secret' } },
  })
  const messages = Number(values.messages)
  if (!Number.isInteger(messages) || messages < 1 || messages > messagesMax) throw new Error(`--messages: expected a number from 1 to ${messagesMax}`)
  buildMillion(values.depot, { messages, password: values.password })
  console.log(`now run: headwater serve --depot ${values.depot}`)
}
