import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyringMethods } from '../../src/request/methods/keyring-methods.ts';
import { checkedSign, usualKeyring } from '../../src/request/methods/checked-sign.ts';
import { methods } from '../../src/request/methods/methods.ts';
import { decodeRequest } from '../../src/server/json-rpc/decode-request.ts';
import { usualSign } from '../../src/server/json-rpc/usual-sign.ts';

const recognised = (frame: string | Buffer) => usualSign(Buffer.from(frame), usualKeyring);

test('what is recognised is the method of the table, but for its schema', () => {
  const { check, ...rest } = checkedSign;
  expect(methods.get('sign')).toMatchObject(rest);
  const given = { message_b64: 'aGVsbG8' };
  const read = keyringMethods.sign.params.parse(given);
  const [services, context] = [{} as never, {} as never];
  expect(check(read, services, context)).toEqual({
    ...keyringMethods.sign.check(given, services, context),
    act: expect.any(Function) as unknown,
  });
});

/** What the general decoder and the schema make of a frame; null where they refuse it, or it is another method's. */
function general(frame: Buffer): unknown {
  const decoded = decodeRequest(frame);
  if ('refusal' in decoded || decoded.request.method !== 'sign') return null;
  const params = keyringMethods.sign.params.safeParse(decoded.request.params);
  return params.success ? { id: decoded.request.id, params: params.data } : null;
}

/** Whatever is recognised, is recognised as what the general decoder says. Answers whether it was. */
function isEqualOrLeft(frame: Buffer): boolean {
  const usual = usualSign(frame, usualKeyring);
  if (usual !== null) expect(usual).toEqual(general(frame));
  return usual !== null;
}

test.each([
  ['{"jsonrpc":"2.0","id":1,"method":"sign","params":{"message_b64":"aGVsbG8"}}', 1],
  ['{"jsonrpc":"2.0","id":"a-1","method":"sign","params":{"message_b64":""}}', 'a-1'],
  [
    '{"jsonrpc":"2.0","id":0,"method":"sign","params":{"keyring":"ci.2","kid":"01234567","message_b64":"aGVsbG8"}}',
    0,
  ],
  ['{"jsonrpc":"2.0","id":2,"method":"sign","params":{"message_b64":"aGVs+G8="}}', 2],
  [
    '{"jsonrpc": "2.0", "id": 7, "method": "sign", "params": {"keyring": "file", "message_b64": "aGVsbG8"}}',
    7,
  ],
])('is read as the general decoder reads it: %s', (line, id) => {
  expect(recognised(line)).toMatchObject({ id });
  expect(isEqualOrLeft(Buffer.from(line))).toBe(true);
});

const request = (rest: string, id = '1'): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"sign","params":{${rest}}}`;

test.each([
  request('"message_b64":"aG-s+G8"'), // of two alphabets
  request('"message_b64":"aGVsbG8=="'),
  request('"message_b64":"aGVsbG9"'), // with a bit left over
  request('"message_b64":"a"'),
  request('"message_b64":"aGVs\\u0062G8"'),
  request('"message_b64":"aGVsbG8","message_b64":"aGVsbG8"'),
  request('"message_b64":"aGVsbG8","keyring":"file"'),
  request('"keyring":"file","keyring":"file","message_b64":"aGVsbG8"'),
  request('"keyring":"fi\\u006ce","message_b64":"aGVsbG8"'),
  request('"keyring":"f\u00eele","message_b64":"aGVsbG8"'),
  request('"keyring":"f\u0000ile","message_b64":"aGVsbG8"'),
  request('"keyring":"","message_b64":"aGVsbG8"'),
  request('"kid":"0123456","message_b64":"aGVsbG8"'),
  request('"kid":"0123456A","message_b64":"aGVsbG8"'),
  request('"kid":null,"message_b64":"aGVsbG8"'),
  request('"message_b64":"aGVsbG8","extra":1'),
  request('"message_b64":"aGVsbG8","__proto__":{}'),
  request(''),
  request('"message_b64":"aGVsbG8"', '-0'),
  request('"message_b64":"aGVsbG8"', '01'),
  request('"message_b64":"aGVsbG8"', '1.0'),
  request('"message_b64":"aGVsbG8"', '1e1'),
  request('"message_b64":"aGVsbG8"', '9007199254740993'),
  request('"message_b64":"aGVsbG8"', 'null'),
  request('"message_b64":"aGVsbG8"', '""'),
  request('"message_b64":"aGVsbG8"', '"a\\n"'),
  request('"message_b64":"aGVsbG8"', `"${'i'.repeat(257)}"`),
  request(`"message_b64":"${'aGVs'.repeat(1024)}"`),
  ` ${request('"message_b64":"aGVsbG8"')}`,
  `\ufeff${request('"message_b64":"aGVsbG8"')}`,
  `${request('"message_b64":"aGVsbG8"')}\r`,
  `${request('"message_b64":"aGVsbG8"')} x`,
  `${request('"message_b64":"aGVsbG8"')}\n`,
  `[${request('"message_b64":"aGVsbG8"')}]`,
  request('"message_b64":"aGVsbG8"').replace('sign', 'sign_batch'),
  request('"message_b64":"aGVsbG8"').replace('2.0', '2.00'),
  request('"message_b64":"aGVsbG8"').replace('"2.0"', '"2.0","jsonrpc":"2.0"'),
])('is left to the general decoder: %s', (line) => {
  expect(recognised(line)).toBeNull();
});

test('bytes that are no UTF-8 are left to the general decoder', () => {
  const line = Buffer.from(request('"keyring":"f\xefle","message_b64":"aGVsbG8"'), 'latin1');
  expect(recognised(line)).toBeNull();
});

/** Spellings near the usual one: members in any order, missing, twice, with what no client should send. */
const hostile = fc.constantFrom(
  '"',
  '\\',
  '\\"',
  '\\u0061',
  '\u0000',
  '\u007f',
  '\u00e9',
  '\ufeff',
  '{',
  '}',
  ',',
  ':',
  ' ',
  '\n',
  '=',
  '+',
  '/',
  '__proto__',
);
const text = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[\w.-]{0,12}$/) },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
  { weight: 1, arbitrary: hostile },
);
const base64 = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom('base64url', 'base64'))
  .map(([bytes, encoding]) => Buffer.from(bytes).toString(encoding as 'base64'));
const space = fc.constantFrom('', '', '', ' ', '  ', '\t');
const json = (value: fc.Arbitrary<unknown>) => value.map((one) => JSON.stringify(one));
const raw = text.map((one) => `"${one}"`); // with quotes of its own it is often no JSON
const id = fc.oneof(
  fc.nat().map(String),
  fc.maxSafeInteger().map(String),
  json(text),
  raw,
  fc.constantFrom('0', '-0', '007', '1.5', '1e3', '9007199254740992', '""', 'null', 'true', '{}'),
);
const member = fc.oneof(
  fc.tuple(fc.constant('keyring'), fc.oneof(json(text), raw)),
  fc.tuple(fc.constant('kid'), fc.oneof(json(fc.stringMatching(/^[0-9a-f]{7,9}$/)), raw)),
  fc.tuple(fc.constant('message_b64'), fc.oneof(json(base64), json(text), raw)),
  fc.tuple(text, json(fc.jsonValue({ maxDepth: 1 }))),
);
const object = (members: readonly (readonly [string, string])[], gap: string): string =>
  `{${members.map(([name, value]) => `"${name}":${gap}${value}`).join(`,${gap}`)}}`;
const usual = fc
  .record({
    id: fc.oneof({ weight: 3, arbitrary: fc.nat().map(String) }, { weight: 1, arbitrary: id }),
    keyring: fc.option(json(text)),
    kid: fc.option(json(fc.stringMatching(/^[0-9a-f]{8}$/))),
    message: json(base64),
    gap: space,
  })
  .map(({ keyring, kid, message, gap, id: number }) => {
    const params: [string, string][] = [['message_b64', message]];
    if (kid !== null) params.unshift(['kid', kid]);
    if (keyring !== null) params.unshift(['keyring', keyring]);
    return envelope(number, object(params, gap), gap);
  });
const near = fc
  .tuple(id, fc.array(member, { maxLength: 5 }), space, fc.constantFrom('"sign"', '"ping"', '7'))
  .map(([number, params, gap, method]) => envelope(number, object(params, gap), gap, method));

function envelope(number: string, params: string, gap: string, method = '"sign"'): string {
  const members = [
    ['jsonrpc', '"2.0"'],
    ['id', number],
    ['method', method],
    ['params', params],
  ] as const;
  return object(members, gap);
}

/** A byte or a piece put in, taken out, replaced or doubled, or the order of two pieces changed. */
const edits = fc.array(
  fc.record({
    at: fc.nat({ max: 300 }),
    remove: fc.nat({ max: 3 }),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes)),
      hostile.map((piece) => Buffer.from(piece)),
    ),
  }),
  { maxLength: 3 },
);

function edited(frame: Buffer, changes: readonly Edit[]): Buffer {
  return changes.reduce<Buffer>((bytes, { at, remove, insert }) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
  }, frame);
}

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Buffer;
}

test('whatever is recognised is what the general decoder and the schema make of it', () => {
  let seen = 0;
  fc.assert(
    fc.property(fc.oneof(usual, near), edits, (line, changes) => {
      if (isEqualOrLeft(Buffer.from(line))) seen += 1;
      isEqualOrLeft(edited(Buffer.from(line), changes));
    }),
    { numRuns: 5000 },
  );
  // Nothing is compared where nothing is recognised.
  expect(seen).toBeGreaterThan(500);
});

test('each byte of the usual line, replaced by every other one', () => {
  const line = Buffer.from(
    '{"jsonrpc":"2.0","id":12,"method":"sign","params":{"keyring":"ci","kid":"01234567","message_b64":"aGVsbG8"}}',
  );
  for (let at = 0; at < line.length; at += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const changed = Buffer.from(line);
      changed[at] = byte;
      isEqualOrLeft(changed);
    }
  }
});

test('each start of the usual line, and each of its bytes left out or twice', () => {
  const line = Buffer.from(
    '{"jsonrpc": "2.0", "id": 12, "method": "sign", "params": {"kid": "01234567", "message_b64": "aGVsbG8"}}',
  );
  for (let at = 0; at < line.length; at += 1) {
    const [before, after] = [line.subarray(0, at), line.subarray(at)];
    isEqualOrLeft(before);
    isEqualOrLeft(Buffer.concat([before, after.subarray(1)]));
    isEqualOrLeft(Buffer.concat([before, after.subarray(0, 1), after]));
  }
});
