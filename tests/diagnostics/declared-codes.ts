/**
 * Every diagnostic code that the sources declare, read from the calls of `defineDiagnostics`.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The root of the repository. */
export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

/** One code as it is declared. */
export interface DeclaredCode {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
}

/** The sources of the packages that can hold a declaration. */
function sourceFiles(): string[] {
  const packages = join(ROOT, 'packages');
  return readdirSync(packages)
    .flatMap((name) => {
      const folder = join(packages, name, 'src');
      return readdirSync(folder, { recursive: true }).map((path) => join(folder, String(path)));
    })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
}

/** The object that an expression stands for, through `as const` and one name. */
function objectOf(expression: ts.Expression, file: ts.SourceFile): ts.ObjectLiteralExpression | undefined {
  if (ts.isAsExpression(expression)) return objectOf(expression.expression, file);
  if (ts.isObjectLiteralExpression(expression)) return expression;
  if (!ts.isIdentifier(expression)) return undefined;
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (ts.isIdentifier(name) && name.text === expression.text && initializer !== undefined)
        return objectOf(initializer, file);
    }
  }
  return undefined;
}

function textOf(node: ts.Node | undefined): string {
  return node !== undefined && (ts.isStringLiteralLike(node) || ts.isIdentifier(node)) ? node.text : '';
}

function member(object: ts.ObjectLiteralExpression, name: string): string {
  const property = object.properties.find((one) => textOf(one.name) === name);
  return property !== undefined && ts.isPropertyAssignment(property) ? textOf(property.initializer) : '';
}

function codesOf(call: ts.CallExpression, file: ts.SourceFile): DeclaredCode[] {
  const [area, entries] = call.arguments;
  const object = entries === undefined ? undefined : objectOf(entries, file);
  if (object === undefined) throw new Error(`${file.fileName}: the entries of defineDiagnostics are not an object`);
  return object.properties.map((property) => {
    const entry = ts.isPropertyAssignment(property) ? objectOf(property.initializer, file) : undefined;
    if (entry === undefined) throw new Error(`${file.fileName}: an entry of defineDiagnostics is not an object`);
    return {
      code: `${textOf(area)}/${textOf(property.name)}`,
      severity: member(entry, 'severity'),
      message: member(entry, 'message'),
    };
  });
}

/** All codes, in the order of their names. */
export function declaredCodes(): DeclaredCode[] {
  const found: DeclaredCode[] = [];
  for (const path of sourceFiles()) {
    const text = readFileSync(path, 'utf8');
    if (!text.includes('defineDiagnostics(')) continue;
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext);
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && textOf(node.expression) === 'defineDiagnostics')
        found.push(...codesOf(node, file));
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found.sort((a, b) => (a.code < b.code ? -1 : 1));
}
