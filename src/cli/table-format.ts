/** The three forms of a table as a file, and what both directions need: which form a file has, and which table is meant. */
import { Option, type Command } from 'commander'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TableShape } from '../admin/tables-shape.ts'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { addConfigFlags, type ConfigFlags } from './configured.ts'
import { exitFailed, exitUsage } from './context.ts'
import { expectOk, type Target } from './target.ts'

export type TableFormat = 'csv' | 'jsonl' | 'sql'

export interface TableFlags extends ConfigFlags {
  readonly format?: TableFormat
  readonly json?: boolean
}

const suffixes: Readonly<Record<string, TableFormat>> = { csv: 'csv', jsonl: 'jsonl', ndjson: 'jsonl', sql: 'sql' }

export function addTableFlags(command: Command, formatHelp: string): void {
  command.addOption(new Option('--format <FORMAT>', formatHelp).choices(['csv', 'jsonl', 'sql']))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
}

/** What `--format` says, else the end of the file's name; null when neither does. */
export function formatOf(flags: TableFlags, file: string | null): TableFormat | null {
  return flags.format ?? suffixes[/\.([a-z]+)$/i.exec(file ?? '')?.[1]?.toLowerCase() ?? ''] ?? null
}

export async function tableShape(target: Target, table: string): Promise<TableShape> {
  const response = await expectOk(await target.control(`/table?${new URLSearchParams({ table })}`), `table ${table}`, 'Name a table as in SQL, or DATABASE.TABLE.')
  return checked(isShape(), await response.json())
}

const isShape = lazily(() =>
  Compile(
    Type.Object({
      database: Type.String(),
      name: Type.String(),
      isStrict: Type.Boolean(),
      columns: Type.Array(
        Type.Object({
          name: Type.String(),
          type: Type.Union([Type.Literal('INTEGER'), Type.Literal('REAL'), Type.Literal('TEXT'), Type.Literal('BLOB'), Type.Literal('ANY')]),
          isUuid: Type.Boolean(),
        }),
      ),
    }),
  ),
)

/** `value`, which a server sent, when it has the expected form. */
export function checked<Value>(form: { Check(value: unknown): value is Value }, value: unknown): Value {
  if (form.Check(value)) return value
  throw new OperatorError('the server answers in a form that this program does not know', 'Use the same version of both.', exitFailed)
}

export function refuseFormat(file: string): never {
  throw new OperatorError(`the form of ${file} is not known from its name`, 'Give --format csv, jsonl or sql.', exitUsage)
}
