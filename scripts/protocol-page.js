// The tables of docs/protocol.md from docs/openrpc.json, which `node scripts/openrpc.js` makes. What stands around them
// is written by hand, and stays.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs');

/** The page with its tables made anew. Throws where it has no place for one. */
export function withTables(page, document) {
  const tables = {
    overview: overview(document),
    methods: document.methods.map((method) => section(method, document)).join('\n'),
    errors: errors(document),
  };
  return Object.entries(tables).reduce((text, [name, table]) => {
    const place = new RegExp(`(<!-- begin: ${name} -->\n)[^]*?(<!-- end: ${name} -->)`);
    if (!place.test(text)) throw new Error(`docs/protocol.md has no place for ${name}`);
    return text.replace(place, (_, begin, end) => `${begin}\n${table}\n${end}`);
  }, page);
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const code = (text) => `\`${text}\``;
const kindOf = ({ $ref }) => $ref.split('/').at(-1);
/** As GitHub makes it of a heading. */
const anchor = (name) => `#${name.replaceAll('.', '')}`;

function overview({ methods }) {
  return table(
    ['method', 'scope', 'effect', 'what'],
    methods.map((method) => [
      `[${code(method.name)}](${anchor(method.name)})`,
      method['x-scope'],
      method['x-effect'],
      method.summary,
    ]),
  );
}

const reaches = {
  keyring: 'one keyring',
  cluster: "the cluster's keyring",
  agent: 'the agent as a whole',
  caller: "nothing but the caller's own",
};

function section(method, { methods }) {
  const { name, summary, params, result, errors: refs } = method;
  const everywhere = refs.filter(({ $ref }) =>
    methods.every((other) => other.errors.some((error) => error.$ref === $ref)),
  );
  const usual = new Set([...everywhere.map(kindOf), 'forbidden', 'rate_limited']);
  const own = refs.map(kindOf).filter((kind) => !usual.has(kind));
  return [
    `### \`${name}\``,
    '',
    summary,
    '',
    `Scope: ${method['x-scope']}. Acts on: ${reaches[method['x-reach']]}. ${purpose(method)}${repeatable(method)}`,
    '',
    params.length === 0
      ? 'Params: none.'
      : table(['param', 'type', '', 'meaning'], params.flatMap(paramRows)),
    '',
    resultText(result.schema),
    '',
    `Errors beside the usual ones: ${own.length === 0 ? 'none' : own.map(code).join(', ')}.`,
    '',
  ].join('\n');
}

const purpose = ({ 'x-purpose': of }) => (of === null ? '' : `Purpose: ${code(of)}. `);

function repeatable({ 'x-effect': effect, 'x-repeatable': isRepeatable, 'x-shown-by': shownBy }) {
  return isRepeatable
    ? `Effect: ${effect}; may be sent again.`
    : `Effect: ${effect}; where the answer is lost, ask ${code(shownBy)}.`;
}

/** A row a param, and one a member of an object that it is. */
function paramRows({ name, description = '', required, schema }) {
  const { inside, suffix } = nested(schema);
  const members = inside.flatMap((of) =>
    Object.entries(of.properties).map(([member, memberSchema]) => ({
      name: `${name}${suffix}.${member}`,
      description: memberSchema.description,
      required: of.required?.includes(member) ?? false,
      schema: memberSchema,
    })),
  );
  return [
    [code(name), typeText(schema), need({ required, schema }), description],
    ...members.flatMap(paramRows),
  ];
}

function need({ required, schema }) {
  if (schema.default !== undefined) return `default ${code(JSON.stringify(schema.default))}`;
  return required ? 'required' : 'optional';
}

function resultText(schema) {
  const variants = schema.anyOf ?? [schema];
  const described = schema.description === undefined ? '' : ` ${schema.description}`;
  const rows = variants.flatMap((variant, at) => [
    ...(at === 0 ? [] : [['or', '', '']]),
    ...memberRows(variant, ''),
  ]);
  if (rows.length > 0) {
    const text = table(['result', 'type', 'meaning'], rows);
    return described === '' ? text : `Result:${described}\n\n${text}`;
  }
  return `Result: ${schema.additionalProperties === undefined ? '`{}`.' : `an object.${described}`}`;
}

/** A row a member, those of objects inside under their path: `keys[].kid`. */
function memberRows({ properties = {}, required = [] }, path) {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const at = `${path}${name}`;
    const absent = required.includes(name) ? '' : 'May be absent. ';
    const { inside, suffix } = nested(schema);
    return [
      [code(at), typeText(schema), `${absent}${schema.description ?? ''}`.trim()],
      ...inside.flatMap((of) => memberRows(of, `${at}${suffix}.`)),
    ];
  });
}

function nested(schema) {
  if (schema.type === 'array') return { inside: nested(schema.items).inside, suffix: '[]' };
  if (schema.anyOf !== undefined) {
    return { inside: schema.anyOf.flatMap((of) => nested(of).inside), suffix: '' };
  }
  return { inside: schema.properties === undefined ? [] : [schema], suffix: '' };
}

const patterns = {
  '^[0-9a-f]{8}$': '8 hex digits',
  '^[0-9a-f]{64}$': '64 hex digits',
  '^ck_[0-9a-f]{32}$': '`ck_` and 32 hex digits',
};

function typeText(schema) {
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map(typeText))].join(' or ');
  }
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((one) => code(one)).join(', ');
  if (schema.type === 'array') {
    const { items, minItems, maxItems } = schema;
    return `array${inBrackets(range(minItems, maxItems))} of ${typeText(items)}`;
  }
  if (schema.contentEncoding !== undefined) return 'base64';
  if (schema.format === 'date-time') return 'time';
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  if (schema.type === 'integer')
    return `integer${inBrackets(range(schema.minimum, schema.maximum))}`;
  if (patterns[schema.pattern] !== undefined) return patterns[schema.pattern];
  if (schema.type === 'string') {
    const length = range(schema.minLength, schema.maxLength);
    return `string${inBrackets(length && `${length} characters`)}`;
  }
  return schema.type ?? 'any';
}

const unbounded = 2 ** 53 - 1;

const inBrackets = (text) => (text === '' ? '' : ` (${text})`);

/** Empty where there are no bounds that tell anything. */
function range(least = 0, most = unbounded) {
  if (most < unbounded) return least === 0 ? `at most ${most}` : `${least} to ${most}`;
  return least === 0 ? '' : `${least} or more`;
}

function errors({ components, 'x-errors': advice }) {
  return table(
    ['kind', 'code', 'meaning', 'does repeating help?', 'what an operator does', 'in `data`'],
    Object.entries(components.errors).map(([kind, { code: number, message, data }]) => [
      code(kind),
      String(number),
      message,
      advice[kind].repeat.text,
      advice[kind].operator,
      Object.keys(data.properties)
        .filter((name) => name !== 'kind')
        .map(code)
        .join(', '),
    ]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(docs, 'protocol.md');
  const document = JSON.parse(readFileSync(join(docs, 'openrpc.json'), 'utf8'));
  writeFileSync(path, withTables(readFileSync(path, 'utf8'), document));
}
