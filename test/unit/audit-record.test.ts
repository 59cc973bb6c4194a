import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  auditEventNames,
  auditOutcomes,
  hashOfLine,
  isSigned,
  noLine,
  parseRecord,
  recordLine,
  signedBytes,
  type AuditRecord,
} from '../../src/audit/chain/record.ts';

const operation: AuditRecord = {
  v: 1,
  seq: 1,
  time: '2026-01-02T03:04:05.678Z',
  event: 'operation',
  uid: 1000,
  pid: 4242,
  user: 'ci',
  api_key: null,
  exe_best_effort: '/usr/bin/node',
  scope: 'app',
  method: 'sign',
  keyring: 'default',
  kid: '0a1b2c3d',
  subject: null,
  message_sha256: ['ab'.repeat(32)],
  outcome: 'done',
  kind: null,
  reason: null,
  of: null,
  repeated: null,
  prev: noLine,
};
const started: AuditRecord = {
  ...operation,
  event: 'started',
  uid: null,
  signer: '0a1b2c3d',
  signature: `${'x'.repeat(85)}A`,
};

/** The same members in the order in which they are written. */
function inOrder({ prev, signer, signature, ...rest }: AuditRecord): object {
  return signer === undefined ? { ...rest, prev } : { ...rest, signer, signature, prev };
}

describe('a record', () => {
  test('is the line that JSON.stringify makes of its members in their order', () => {
    expect(recordLine(operation)).toBe(
      '{"v":1,"seq":1,"time":"2026-01-02T03:04:05.678Z","event":"operation","uid":1000,"pid":4242,' +
        '"user":"ci","api_key":null,"exe_best_effort":"/usr/bin/node","scope":"app","method":"sign",' +
        `"keyring":"default","kid":"0a1b2c3d","subject":null,"message_sha256":["${'ab'.repeat(32)}"],` +
        `"outcome":"done","kind":null,"reason":null,"of":null,"repeated":null,"prev":"${noLine}"}`,
    );
    expect(recordLine(started)).toBe(JSON.stringify(inOrder(started)));
  });

  test('is read back from its line, whatever stands in it', () => {
    const text = fc.option(fc.string({ unit: 'binary' }));
    const count = fc.option(fc.nat());
    const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => hexOf(bytes));
    const records = fc.record({
      seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      event: fc.constantFrom(...auditEventNames),
      uid: count,
      user: text,
      exe_best_effort: text,
      keyring: text,
      reason: text,
      message_sha256: fc.array(hex, { maxLength: 3 }),
      outcome: fc.option(fc.constantFrom(...auditOutcomes)),
      repeated: count,
      prev: hex,
    });
    fc.assert(
      fc.property(records, (made) => {
        const signed = isSigned(made.event) ? { signer: null, signature: '' } : {};
        const record = { ...operation, ...made, ...signed };
        const line = recordLine(record);
        expect(line).toBe(JSON.stringify(inOrder(record)));
        expect(parseRecord(line)).toEqual(record);
        expect(parseRecord(Buffer.from(line, 'utf8'))).toEqual(record);
        expect(hashOfLine(line)).toBe(createHash('sha256').update(line, 'utf8').digest('hex'));
      }),
    );
  });

  test('is signed as it is written, with an empty signature', () => {
    const line = recordLine({ ...started, signature: '' });
    expect(signedBytes(started).toString()).toBe(`signing-agent/audit/v1\n${line}`);
    expect(line).toContain('"signer":"0a1b2c3d","signature":"","prev":');
  });
});

describe('a line that is no record', () => {
  const line = recordLine(operation);
  const cases: readonly (readonly [string, string | Buffer, string])[] = [
    ['not JSON', line.slice(0, -1), 'is not a JSON object'],
    ['nothing', '', 'is not a JSON object'],
    ['an array', '[]', 'is not a JSON object'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'is not UTF-8'],
    ['another version', line.replace('"v":1', '"v":2'), 'version'],
    ['a seq of 0', line.replace('"seq":1', '"seq":0'), 'no valid "seq"'],
    ['no such day', line.replace('01-02T', '13-02T'), 'no valid "time"'],
    ['another event', line.replace('operation', 'holiday'), 'no valid "event"'],
    ['a uid in quotes', line.replace('1000', '"1000"'), 'no valid "uid"'],
    ['a hash in capitals', line.replace('abab', 'ABAB'), 'no valid "message_sha256"'],
    ['no prev', line.replace(/,"prev".*/, '}'), 'no valid "prev"'],
    ['a member more', line.replace('"v":1,', '"v":1,"x":1,'), 'is not spelled'],
    ['a member twice', line.replace('"v":1,', '"v":1,"v":1,'), 'is not spelled'],
    ['a space', line.replace('"v":1,', '"v":1, '), 'is not spelled'],
    ['another order', line.replace('"v":1,"seq":1', '"seq":1,"v":1'), 'is not spelled'],
    ['an escape', line.replace('"ci"', '"\\u0063i"'), 'is not spelled'],
    ['a byte order mark', `\uFEFF${line}`, 'is not a JSON object'],
    ['a signature on an operation', signedOperation(), 'no valid "signer"'],
    ['a started without one', line.replace('operation', 'started'), 'no valid "signer"'],
    ['a signature that is cut', recordLine({ ...started, signature: 'xx' }), 'no valid "signer"'],
    [
      'a second spelling of a signature',
      recordLine({ ...started, signature: `${'x'.repeat(85)}B` }),
      'no valid "signer"',
    ],
    ['a signature of nobody', recordLine({ ...started, signer: null }), 'no valid "signer"'],
  ];
  test.each(cases)('%s', (_name, text, fault) => {
    const result = parseRecord(text);
    expect('fault' in result ? result.fault : 'a record').toContain(fault);
  });

  function signedOperation(): string {
    const { signer = null, signature = '' } = started;
    return recordLine({ ...operation, signer, signature });
  }
});

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
