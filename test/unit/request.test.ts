import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRequest } from '../../src/server/json-rpc/decode-request.ts';

const decode = (line: string | Buffer) => decodeRequest(Buffer.from(line));

function refusal(line: string | Buffer): { id: unknown; kind: string } {
  const decoded = decode(line);
  if (!('refusal' in decoded)) throw new Error(`accepted: ${line.toString()}`);
  return { id: decoded.id, kind: decoded.refusal.kind };
}

test('a request comes back as it was written', () => {
  expect(decode('{"jsonrpc":"2.0","id":"a:\\"b","method":"ping","params":{"x":":\\\\"}}')).toEqual({
    request: { id: 'a:"b', method: 'ping', params: { x: ':\\' } },
  });
  expect(decode('{"jsonrpc":"2.0","id":1,"method":"ping"}\r')).toEqual({
    request: { id: 1, method: 'ping', params: {} },
  });
});

test.each([
  ['', null, 'parse_error'],
  ['{', null, 'parse_error'],
  ['nonsense', null, 'parse_error'],
  ['{"jsonrpc":"2.0","id":1,"method":"ping"} x', null, 'parse_error'],
  ['[]', null, 'invalid_request'],
  ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', null, 'invalid_request'],
  ['null', null, 'invalid_request'],
  ['7', null, 'invalid_request'],
  ['{}', null, 'invalid_request'],
  ['{"jsonrpc":"2.0","method":"ping"}', null, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":null,"method":"ping"}', null, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', null, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":1e400,"method":"ping"}', null, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', null, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":{},"method":"ping"}', null, 'invalid_request'],
  [`{"jsonrpc":"2.0","id":"${'i'.repeat(257)}","method":"ping"}`, null, 'invalid_request'],
  ['{"jsonrpc":"1.0","id":4,"method":"ping"}', 4, 'invalid_request'],
  ['{"id":4,"method":"ping"}', 4, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":4}', 4, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":4,"method":7}', 4, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":4,"method":"ping","extra":1}', 4, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":4,"method":"ping","__proto__":{}}', 4, 'invalid_request'],
  ['{"jsonrpc":"2.0","id":4,"method":"ping","params":[]}', 4, 'invalid_params'],
  ['{"jsonrpc":"2.0","id":4,"method":"ping","params":null}', 4, 'invalid_params'],
  ['{"jsonrpc":"2.0","id":4,"method":"ping","method":"sign"}', 4, 'invalid_request'],
  [
    '{"jsonrpc":"2.0","id":4,"method":"s","params":{"kid":"a","k\\u0069d":"b"}}',
    4,
    'invalid_request',
  ],
  ['{"jsonrpc":"2.0","id":4,"method":"s","params":{"a":{"b":1,"b":2}}}', 4, 'invalid_request'],
  [
    `{"jsonrpc":"2.0","id":4,"method":"s","params":{"a":${'['.repeat(9)}${']'.repeat(9)}}}`,
    4,
    'invalid_request',
  ],
])('%s', (line, id, kind) => {
  expect(refusal(line)).toEqual({ id, kind });
});

test('bytes that are no UTF-8 are refused', () => {
  const line = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"p\xff"}', 'latin1');
  expect(refusal(line).kind).toBe('parse_error');
});

test('8,192 values in all are read, and one more is not parsed', () => {
  const line = (values: number): string =>
    `{"jsonrpc":"2.0","id":1,"method":"s","params":{"a":[${Array(values).fill('{}').join()}]}}`;
  // The request itself has three commas, two braces and a bracket.
  const most = (8192 - 1 - 3 - 2 - 1 + 1) / 2;
  expect(decodeRequest(Buffer.from(line(Math.floor(most))))).toHaveProperty('request');
  const refused = decodeRequest(Buffer.from(line(Math.floor(most) + 1)));
  expect(refused).toMatchObject({ id: null, refusal: { kind: 'invalid_request' } });
  expect('refusal' in refused && refused.refusal.message).toContain('at most 8192 values');
  expect(refusal(`"\\`).kind).toBe('parse_error');
  const text = JSON.stringify(',{[:'.repeat(5000));
  const inString = `{"jsonrpc":"2.0","id":1,"method":"s","params":{"a":${text}}}`;
  expect(decodeRequest(Buffer.from(inString))).toHaveProperty('request');
});

test('a hundred thousand levels do not end the process', () => {
  const line = `{"jsonrpc":"2.0","id":1,"method":"s","params":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
  expect(refusal(line).kind).toBe('invalid_request');
});

test('whatever the bytes, there is an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const decoded = decodeRequest(bytes);
      expect('refusal' in decoded).toBe(true);
    }),
  );
});

test('whatever the document, names that stand once are never taken for two', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (params) => {
      const line = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'any', params });
      expect(decode(line)).toEqual({
        request: { id: 1, method: 'any', params: JSON.parse(JSON.stringify(params)) as unknown },
      });
    }),
  );
});
