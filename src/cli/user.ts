/** `headwater user …` and `headwater token …`: users from the shell. Each command is a file of its own. */
import type { Command } from 'commander'
import { addExamples, type Context } from './context.ts'
import { addUserAdd } from './user-add.ts'
import { addUserList } from './user-list.ts'
import { addMint } from './user-mint.ts'

export function addUser(program: Command, context: Context): void {
  const user = program.command('user').description('Add and list users, and make tokens of them')
  addUserAdd(user, context)
  addUserList(user, context)
  addMint(user, context, 'whole')
  addExamples(user, [
    ['headwater user add ann@example.com', 'a new user; the password is made and printed'],
    ['headwater user list --json | jq -r .email', 'one JSON object a line'],
  ])
}

export function addToken(program: Command, context: Context): void {
  const token = program.command('token').description('Make access tokens')
  addMint(token, context, 'access')
  addExamples(token, [['headwater token mint ann@example.com', 'a token for the header Authorization: Bearer …']])
}
