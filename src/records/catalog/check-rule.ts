/** Is an access rule exactly one expression over what its operation has? With all reasons when it is not, and its facts when it is. */
import { hint, nearest } from '../../lib/suggest.ts'
import type { RecordAction, RecordApi, RuleFacts } from '../record-api.ts'
import { columnAfter, isRelation, mentions } from '../rules/rule-text.ts'
import { eventStatement, rowAlias, rowCondition, ruleProbe, ruleStatement } from '../rules.ts'
import { qualified, quoted } from '../../storage/identifier.ts'
import type { CompileContext } from './compile-api.ts'
import { explained, type Explained } from './explain.ts'
import { foldName, isName, isOperator, isWord, sameName, SqlTextError, tokenize, type Token } from './sql-tokens.ts'

const relationNames = ['_USER_', '_ROW_', '_REQ_', '_REQ_FIELDS_'] as const

/** trailbase-api.md §7.2. */
const relationsOf: Readonly<Record<RecordAction, readonly string[]>> = {
  create: ['_USER_', '_REQ_', '_REQ_FIELDS_'],
  read: ['_USER_', '_ROW_'],
  update: ['_USER_', '_ROW_', '_REQ_', '_REQ_FIELDS_'],
  delete: ['_USER_', '_ROW_'],
  schema: ['_USER_'],
}

export interface RuleProblems {
  readonly problems: readonly string[]
}

export function checkRule(api: RecordApi, action: RecordAction, context: CompileContext): RuleFacts | RuleProblems {
  const tokens = tokensOf(api.rules[action] ?? '')
  if ('problems' in tokens) return tokens
  const problems = [...shapeProblems(tokens), ...tokens.flatMap((_, i) => nameProblems(tokens, i, api, action)), ...literalProblems(tokens, context)]
  if (problems.length > 0) return { problems: [...new Set(problems)] }
  const result = prepared(api, action, context)
  if ('problems' in result) return result
  const foreign = foreignDatabases(result, api)
  if (foreign.length > 0) {
    return { problems: foreign.map(name => `it reads the database "${name}", which is not in attached_databases of this API`) }
  }
  const hasRow = relationsOf[action].includes('_ROW_')
  const hasRequest = relationsOf[action].includes('_REQ_')
  return {
    needsRow: hasRow && (tokens.some(token => isRelation(token, '_ROW_')) || api.relation.columns.some(column => mentions(tokens, '_ROW_', column))),
    needsUser: tokens.some(token => isRelation(token, '_USER_')),
    needsRequest: hasRequest && (tokens.some(token => isRelation(token, '_REQ_') || isRelation(token, '_REQ_FIELDS_')) || api.columns.some(column => mentions(tokens, '_REQ_', column))),
    readsTables: result.tables,
    isKeyed: result.isKeyed,
  }
}

function tokensOf(rule: string): readonly Token[] | RuleProblems {
  try {
    return tokenize(rule)
  } catch (error) {
    if (error instanceof SqlTextError) return { problems: [`${error.message} (character ${error.at + 1})`] }
    throw error
  }
}

/** What makes it something else than one expression, wherever it is put. */
function shapeProblems(tokens: readonly Token[]): readonly string[] {
  if (tokens.length === 0) return ['it is empty; leave the field out when the ACL alone decides, or write FALSE to deny']
  const problems: string[] = []
  let depth = 0
  let lowest = 0
  for (const token of tokens) {
    if (isOperator(token, '(')) depth++
    if (isOperator(token, ')')) depth--
    lowest = Math.min(lowest, depth)
    if (isOperator(token, ';')) problems.push('";" ends a statement; a rule is one expression')
    if (token.kind === 'parameter') problems.push(`"${token.text}" is a parameter, and a rule has none; use _USER_, _ROW_ and _REQ_`)
  }
  if (lowest < 0 || depth !== 0) problems.push(`its parentheses do not pair: ${lowest < 0 ? '")" closes what was never opened' : '"(" is never closed'}`)
  if (isWord(tokens[0], 'SELECT', 'VALUES', 'WITH', 'EXPLAIN')) problems.push(`a rule is an expression, not a statement; put the ${tokens[0]?.text.toUpperCase()} into parentheses`)
  return problems
}

function nameProblems(tokens: readonly Token[], i: number, api: RecordApi, action: RecordAction): readonly string[] {
  const token = tokens[i]
  if (!isName(token) || isOperator(tokens[i - 1], '.')) return []
  const name = relationNames.find(candidate => sameName(candidate, token.value))
  if (name === undefined) return []
  if (token.value !== name) return [`"${token.value}" has to be written in capitals: ${name}`]
  if (!relationsOf[action].includes(name)) return [`${name} does not exist when a rule for ${action} runs; it has ${relationsOf[action].join(', ')}`]
  const column = columnAfter(tokens, i)
  if (name === '_REQ_FIELDS_') return requestFieldsProblems(tokens, i, api)
  if (name === '_ROW_' && column === null) return ['_ROW_ can only be used as _ROW_.column']
  if (column === null) return []
  if (name === '_USER_') return sameName(column, 'id') ? [] : [`_USER_ has no column "${column}", only id`]
  const names = (name === '_ROW_' ? api.relation.columns : api.columns).map(candidate => candidate.name)
  if (names.some(candidate => sameName(candidate, column))) return []
  const isExcluded = api.relation.columns.some(candidate => sameName(candidate.name, column))
  return [`${name} has no column "${column}"${isExcluded ? ', because it is excluded' : hint(nearest(column, names))}`]
}

const wordsBeforeOperand = ['AND', 'OR', 'NOT', 'CASE', 'WHEN', 'THEN', 'ELSE', 'SELECT', 'WHERE', 'ON', 'HAVING']

/** The only use is `'column' [NOT] IN _REQ_FIELDS_`, with nothing before the literal that would take it. */
function requestFieldsProblems(tokens: readonly Token[], i: number, api: RecordApi): readonly string[] {
  const usage = ["_REQ_FIELDS_ is a set of names: write 'column' IN _REQ_FIELDS_, with a literal on the left"]
  if (!isWord(tokens[i - 1], 'IN') || isOperator(tokens[i + 1], '.')) return usage
  const at = isWord(tokens[i - 2], 'NOT') ? i - 3 : i - 2
  const left = tokens[at]
  const before = tokens[at - 1]
  if (left?.kind !== 'string') return usage
  if (before !== undefined && !isOperator(before, '(', ',') && !isWord(before, ...wordsBeforeOperand)) return usage
  const names = api.columns.map(column => column.name)
  return names.includes(left.value) ? [] : [`'${left.value}' IN _REQ_FIELDS_: the API has no column "${left.value}"${hint(nearest(left.value, names))}`]
}

/** SQLite takes an unknown name in double quotes as text. A rule that relies on this is a mistake. */
function literalProblems(tokens: readonly Token[], context: CompileContext): readonly string[] {
  const suspects = tokens.filter((token, i) => token.text.startsWith('"') && !isOperator(tokens[i - 1], '.') && !isOperator(tokens[i + 1], '.', '(') && !isNamePlace(tokens[i - 1]))
  if (suspects.length === 0) return []
  const known = new Set<string>(relationNames.map(foldName))
  for (const relation of context.relations.values()) for (const { name } of [relation, ...relation.columns]) known.add(foldName(name))
  return suspects.filter(token => !known.has(foldName(token.value))).map(token => `${token.text} is no column; text stands in single quotes: '${token.value}'`)
}

/** Behind these an alias or a table may stand. */
function isNamePlace(before: Token | undefined): boolean {
  return isWord(before, 'AS', 'FROM', 'JOIN', 'COLLATE') || isOperator(before, ')') || before?.kind === 'quoted' || (before?.kind === 'word' && !isWord(before, ...wordsBeforeOperand, 'IN', 'LIKE', 'IS', 'GLOB', 'BETWEEN'))
}

/** SQLite itself has the last word: every statement that will be made of the rule is prepared. */
function prepared(api: RecordApi, action: RecordAction, context: CompileContext): Explained | RuleProblems {
  const statements = [ruleStatement(api, action)?.sql, ...(action === 'read' ? [scanOf(api), eventStatement(api)?.sql] : [])]
  try {
    const result = explained(ruleProbe(api, action), context)
    for (const sql of statements) if (sql !== undefined) context.read(`EXPLAIN ${sql}`)
    return result
  } catch (error) {
    return { problems: [`SQLite refuses it: ${error instanceof Error ? error.message : String(error)}`] }
  }
}

function scanOf(api: RecordApi): string | undefined {
  const condition = rowCondition(api, rowAlias, 1)
  return condition === null ? undefined : `SELECT 1 FROM ${qualified(api.relation.database, api.relation.name)} AS ${quoted(rowAlias)} WHERE ${condition.sql}`
}

function foreignDatabases(result: Explained, api: RecordApi): readonly string[] {
  const allowed = ['main', api.relation.database, ...api.attached]
  return [...new Set(result.databases.filter(name => !allowed.includes(name)))]
}
