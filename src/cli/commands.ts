/** Every command, in the order of the help. What each does is in its own file. */
import { addCheck } from './check.ts'
import { addCompletion } from './completion.ts'
import { addConfig } from './config-command.ts'
import type { AddCommand } from './context.ts'
import { addHealth } from './health.ts'
import { addMigration } from './migration.ts'
import { addOpenApi } from './openapi.ts'
import { addSchema } from './schema.ts'
import { addServe } from './serve.ts'
import { addSql } from './sql.ts'
import { addStream } from './stream.ts'
import { addTableExport } from './table-export.ts'
import { addTableImport } from './table-import.ts'
import { addToken, addUser } from './user.ts'
import { addVersion } from './version.ts'

export const commands: readonly AddCommand[] = [addServe, addStream, addSql, addTableImport, addTableExport, addSchema, addOpenApi, addConfig, addMigration, addUser, addToken, addCheck, addHealth, addCompletion, addVersion]
