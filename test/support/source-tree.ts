/** The repository as the tidy test sees it: every file of ours, with its syntax tree where it is TypeScript. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import ts from 'typescript'

export const repository = resolve(import.meta.dir, '../..')

export interface SourceFile {
  /** From the top of the repository: `src/lib/clock.ts`. */
  readonly path: string
  readonly text: string
  readonly tree: ts.SourceFile
}

/** What git tracks or would track; node_modules and dist are not ours. */
export function repositoryPaths(): readonly string[] {
  const git = Bun.spawnSync(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: repository })
  const listed = git.success ? git.stdout.toString().split('\0') : [...new Bun.Glob('{src,test,scripts}/**').scanSync({ cwd: repository })]
  return listed.filter(path => path !== '' && Bun.file(resolve(repository, path)).size > 0)
}

/** All TypeScript files below `folders`. */
export function sourceFiles(folders: readonly string[]): readonly SourceFile[] {
  const isOurs = (path: string) => path.endsWith('.ts') && folders.some(folder => path.startsWith(`${folder}/`))
  return repositoryPaths()
    .filter(isOurs)
    .map(path => sourceFile(path, readFileSync(resolve(repository, path), 'utf8')))
}

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true) }
}

export interface Import {
  readonly from: string
  readonly isTypeOnly: boolean
  readonly node: ts.Node
}

/** Every node of `tree`, parents first. */
export function* nodesOf(tree: ts.Node): Generator<ts.Node> {
  yield tree
  for (const child of tree.getChildren()) yield* nodesOf(child)
}

/** `path:line` of `node`, 1-based. */
export function placeOf(file: SourceFile, node: ts.Node): string {
  return `${file.path}:${file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
}

/** What `file` imports, by import and export declarations, import() and new URL(…, import.meta.url). */
export function importsOf(file: SourceFile): readonly Import[] {
  return [...nodesOf(file.tree)].flatMap((node): readonly Import[] => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const isTypeOnly = ts.isImportDeclaration(node) ? node.importClause?.isTypeOnly === true : node.isTypeOnly
      return [{ from: textOf(node.moduleSpecifier), isTypeOnly, node }]
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0] !== undefined) {
      return [{ from: textOf(node.arguments[0]), isTypeOnly: false, node }]
    }
    if (ts.isNewExpression(node) && node.expression.getText() === 'URL' && node.arguments?.[1]?.getText() === 'import.meta.url') {
      return [{ from: textOf(node.arguments[0]), isTypeOnly: false, node }]
    }
    return []
  })
}

/** The value of a string literal, or its source text. */
function textOf(node: ts.Node | undefined): string {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : (node?.getText() ?? '')
}
