// The types of the client library in one file: what index.d.ts exports, and what that is made of, from the declarations
// that tsc has written. Nothing else is published: a file beside it could be imported, and would have to be kept.
import { dirname, join } from 'node:path';
import ts from 'typescript';

/**
 * The text of that one file. `entry` is the path of index.d.ts. Throws where two of the files declare the same name, and
 * where one imports a package: the library has none.
 */
export function bundledTypes(entry) {
  const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, types: [] });
  const checker = program.getTypeChecker();
  const declared = declarations(program, entry);
  const index = program.getSourceFile(entry);
  const values = valuesOf(index);
  const types = checker
    .getExportsOfModule(checker.getSymbolAtLocation(index))
    .filter((symbol) => !values.includes(symbol.name) && isType(symbol, checker))
    .map((symbol) => symbol.name);
  const needed = closure([...values, ...types], declared, checker);
  const texts = [...declared]
    .filter(([name]) => needed.has(name))
    .map(([, statement]) => textOf(statement, checker));
  const names = [...values.toSorted(), ...types.toSorted().map((name) => `type ${name}`)];
  return `${texts.join('\n')}\nexport {\n${names.map((name) => `  ${name},\n`).join('')}};\n`;
}

/** Every declaration of the files that `entry` reaches, by its name. */
function declarations(program, entry) {
  const found = new Map();
  const files = [entry];
  for (const file of files) {
    for (const statement of program.getSourceFile(file).statements) {
      const { moduleSpecifier } = statement;
      if (moduleSpecifier !== undefined) {
        const next = fileOf(moduleSpecifier.text, file);
        if (!files.includes(next)) files.push(next);
      }
      const name = nameOf(statement);
      if (name === undefined) continue;
      if (found.has(name)) throw new Error(`the types of the client have two of the name ${name}`);
      found.set(name, statement);
    }
  }
  return found;
}

function fileOf(specifier, from) {
  if (!specifier.startsWith('.')) return from; // what is taken from there is refused where it is used
  return join(dirname(from), specifier.replace(/\.[jt]s$/, '.d.ts'));
}

function nameOf(statement) {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations[0].name.text;
  }
  return statement.name?.text;
}

/** Names that the library has at run time. */
function valuesOf(index) {
  return index.statements
    .filter((of) => ts.isExportDeclaration(of) && !of.isTypeOnly && of.exportClause !== undefined)
    .flatMap(({ exportClause }) => exportClause.elements.map(({ name }) => name.text));
}

function isType(symbol, checker) {
  const aliased = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return (aliased.flags & ts.SymbolFlags.Type) !== 0;
}

/** Those names, and all that their declarations mention. */
function closure(names, declared, checker) {
  const needed = new Set(names);
  for (const name of needed) {
    const statement = declared.get(name);
    if (statement === undefined) throw new Error(`the types of the client lack ${name}`);
    if (spelledOut(statement, checker) !== null) continue;
    const visit = (node) => {
      if (ts.isImportTypeNode(node)) throw new Error(`${name} is made of a package's types`);
      if (ts.isIdentifier(node)) {
        refuseForeign(node, name, checker);
        if (declared.has(node.text)) needed.add(node.text);
      }
      node.forEachChild(visit);
    };
    visit(statement);
  }
  return needed;
}

function refuseForeign(identifier, name, checker) {
  const symbol = checker.getSymbolAtLocation(identifier);
  const from = symbol?.declarations?.find((of) => ts.isImportSpecifier(of));
  const specifier = from?.parent.parent.parent.moduleSpecifier.text ?? '.';
  if (!specifier.startsWith('.')) throw new Error(`${name} is made of the types of ${specifier}`);
}

/** A declaration, which the list at the end exports or does not, with its documentation. */
function textOf(statement, checker) {
  const spelled = spelledOut(statement, checker);
  const text = spelled ?? statement.getText().replace(/^export (declare )?/, '$1');
  const documentation = ts
    .getJSDocCommentsAndTags(statement)
    .map((comment) => `${comment.getText()}\n`)
    .at(-1);
  return `${documentation ?? ''}${text}`;
}

/** The names of a table, in words: `keyof typeof table` would publish the table. Null for any other declaration. */
function spelledOut(statement, checker) {
  if (!ts.isTypeAliasDeclaration(statement) || !/\btypeof \w+/.test(statement.type.getText()))
    return null;
  const { types = [] } = checker.getTypeAtLocation(statement);
  if (types.length === 0 || !types.every((type) => type.isStringLiteral())) return null;
  const names = types.map(({ value }) => `'${value}'`);
  return `type ${statement.name.text} =\n  | ${names.join('\n  | ')};`;
}

/** What that file exports at run time. */
export function exportedValues(text) {
  const [, list = ''] = /\nexport \{\n([^}]*)\};\n$/.exec(text) ?? [];
  return [...list.matchAll(/^ {2}(\w+),$/gm)].map(([, name]) => name);
}
