/** `hash_password`: for migrations that make users. The accounts themselves hash elsewhere, not in a thread that others wait for. */
import { type SqlFunction, SqlFunctionError, sqlFunction, textOf } from './sql-function.ts'

const passwordCharsMax = 1024
/** What OWASP recommends and TrailBase uses: 19 MiB and two passes, about 70 ms. */
const cost = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const

export function passwordFunctions(): readonly SqlFunction[] {
  return [sqlFunction('hash_password', 1, args => hashPassword(textOf(args, 0)), { deterministic: false })]
}

/** The hash in PHC form, with a salt of its own every time. */
function hashPassword(password: string): string {
  if (password === '' || password.length > passwordCharsMax) throw new SqlFunctionError(`a password has 1 to ${passwordCharsMax} characters`)
  return Bun.password.hashSync(password, cost)
}
