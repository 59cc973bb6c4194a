// signing-agent.toml(5), from the schema that reads the configuration.
import { bold, heading, inline, italic, page, paragraph, tagged, title, verbatim } from './roff.js';
import { description, example, keyTexts, tableTexts } from './configuration-texts.js';

/**
 * The page. `schema`: the configuration as a JSON Schema. Throws where a key or a table has no text, and where a text is
 * of none that there is.
 */
export function configurationPage(schema, version) {
  const tables = tablesOf(schema);
  refuseOthers(tables);
  return page([
    title('signing-agent.toml', 5, version),
    ...[heading('Name'), 'signing\\-agent.toml \\- configuration of signing\\-agent'],
    ...[heading('Synopsis'), `${bold('signing-agent --config')} ${italic('FILE')}`],
    heading('Description'),
    description.map(paragraph),
    tables.map(({ name, list, keys }) => [
      name === ''
        ? heading('Keys of the file')
        : `.SH "${bold(list ? `[[${name}]]` : `[${name}]`)}"`,
      name === '' ? [] : paragraph(tableTexts[name]),
      keys.map((key) => tagged(bold(key.name), keyText(name, key))),
    ]),
    ...[heading('Example'), verbatim(example)],
    ...[heading('See also'), paragraph('`signing-agent`(8), `agentctl`(1)')],
  ]);
}

/** Every table with its keys; a keyring's and the cluster's with the keys of every backend, each once. */
function tablesOf(schema) {
  const tables = [];
  const visit = (name, variants, list = false) => {
    const keys = new Map();
    const isRequired = (key) => variants.every(({ required }) => required?.includes(key));
    const inner = [];
    for (const { properties } of variants) {
      for (const [key, of] of Object.entries(properties)) {
        const below = insideOf(of);
        const path = name === '' ? key : `${name}.${key}`;
        if (below !== null) {
          if (!inner.some(([other]) => other === below.name(path)))
            inner.push([below.name(path), below.variants, below.list]);
          continue;
        }
        const seen = keys.get(key);
        if (seen !== undefined && of.const !== undefined) seen.choices.push(of.const);
        const choices = of.const === undefined ? (of.enum ?? []) : [of.const];
        if (seen === undefined)
          keys.set(key, { name: key, schema: of, choices, required: isRequired(key) });
      }
    }
    tables.push({ name, list, keys: [...keys.values()] });
    for (const [other, of, isList] of inner) visit(other, of, isList);
  };
  visit('', [schema]);
  return tables;
}

/** Of a key that is a table itself, or a list of tables: how it is named, and its keys. */
function insideOf(schema) {
  if (schema.additionalProperties?.oneOf !== undefined)
    return { name: (path) => `${path}.NAME`, variants: schema.additionalProperties.oneOf };
  if (schema.oneOf !== undefined) return { name: (path) => path, variants: schema.oneOf };
  if (schema.properties !== undefined) return { name: (path) => path, variants: [schema] };
  if (schema.items?.properties !== undefined)
    return { name: (path) => path, variants: [schema.items], list: true };
  return null;
}

function keyText(table, { name, schema, choices, required }) {
  const text = keyTexts[`${table}.${name}`.replace(/^\./, '')];
  const facts = [
    typeText(schema, choices),
    ...(required && choices.length === 0 ? ['required'] : []),
    ...bounds(schema),
    ...usual(schema),
  ];
  return `${inline(text)}\n.br\n${inline(facts.join('; '))}`;
}

function typeText({ type, items, anyOf }, choices) {
  if (choices.length > 0) return `one of ${choices.map((one) => `"${one}"`).join(', ')}`;
  if (type === 'array') return `a list of ${itemText(items)}`;
  if (anyOf !== undefined) return 'text';
  return { string: 'text', integer: 'a whole number', boolean: 'true or false' }[type];
}

function itemText({ type }) {
  return type === 'integer' ? 'whole numbers' : 'texts';
}

function bounds({ type, minimum, maximum, minItems }) {
  if (type === 'integer') return [`${minimum} to ${maximum}`];
  return minItems > 0 ? ['one at least'] : [];
}

function usual({ default: value }) {
  if (value === undefined) return [];
  return [`default: ${JSON.stringify(value)}`];
}

function refuseOthers(tables) {
  const keys = tables.flatMap(({ name, keys }) =>
    keys.map((key) => `${name}.${key.name}`.replace(/^\./, '')),
  );
  const names = tables.map(({ name }) => name).filter((name) => name !== '');
  compare(keys, Object.keys(keyTexts), 'key');
  compare(names, Object.keys(tableTexts), 'table');
}

function compare(there, described, what) {
  const missing = there.filter((name) => !described.includes(name));
  const others = described.filter((name) => !there.includes(name));
  if (missing.length > 0)
    throw new Error(`scripts/man/configuration-texts.js lacks a ${what}: ${missing.join(', ')}`);
  if (others.length > 0)
    throw new Error(
      `scripts/man/configuration-texts.js has a ${what} that is none: ${others.join(', ')}`,
    );
}
