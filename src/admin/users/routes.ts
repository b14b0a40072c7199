/** Users in the control API, for the shell of this machine: `/control/users`. Access is the socket's; what is done is auth/accounts/user-admin.ts. */
import { Elysia } from 'elysia'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { listedUsersMax, type UserAdmin } from '../../auth/accounts/user-admin.ts'
import { readBody } from '../../http/body.ts'
import { fail } from '../../lib/errors.ts'
import { lazily } from '../../lib/lazily.ts'

const bodyBytesMax = 16 * 1024
const newUser = Type.Object({ email: Type.String(), password: Type.Union([Type.String(), Type.Null()]), admin: Type.Boolean() })
const namedUser = Type.Object({ user: Type.String({ minLength: 1 }) })
const newUserCheck = lazily(() => Compile(newUser))
const namedUserCheck = lazily(() => Compile(namedUser))

/** `GET /control/users` in pages, `POST /control/users` adds one, `POST /control/users/mint` gives tokens of one. */
export function userControlRoutes(users: UserAdmin) {
  return new Elysia({ name: 'control-users', prefix: '/control/users' })
    .get('/', async ({ request }) => listUsers(users, new URL(request.url).searchParams))
    .post('/', async ({ request }) => addUser(users, await bodyOf(request, newUserCheck())), { parse: 'none' })
    .post('/mint', async ({ request }) => answer(await users.mint((await bodyOf(request, namedUserCheck())).user)), { parse: 'none' })
}

function listUsers(users: UserAdmin, query: URLSearchParams): Response {
  const text = query.get('limit') ?? String(listedUsersMax)
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > listedUsersMax) fail('bad_request', { detail: `limit: expected 1 to ${listedUsersMax}, got "${text}"` })
  return answer(users.list(query.get('after') || null, limit))
}

async function addUser(users: UserAdmin, { email, password, admin }: Static<typeof newUser>): Promise<Response> {
  return answer(await users.add(email.trim(), password, admin))
}

async function bodyOf<Body>(request: Request, check: { Check(value: unknown): value is Body }): Promise<Body> {
  const bytes = await readBody(request, bodyBytesMax)
  const value = parsed(new TextDecoder().decode(bytes))
  return check.Check(value) ? value : fail('invalid_form', {})
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return fail('invalid_json', {})
  }
}

function answer(value: object): Response {
  return Response.json(value, { headers: { 'Cache-Control': 'no-store' } })
}
