import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/base/base64.ts';

test('reads every spelling of the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      const standard = buffer.toString('base64');
      const spellings = [
        encodeBase64(bytes),
        standard,
        standard.replaceAll('=', ''),
        standard.replaceAll('+', '-').replaceAll('/', '_'),
      ];
      for (const text of spellings) expect(decodeBase64(text)).toEqual(buffer);
    }),
  );
});

test.each([
  'a',
  'aGVsbG8h!',
  'aGVs bG8',
  'aGVsbG8\n',
  '=',
  'aGVsbG8==',
  'aG=Vs',
  '-+__',
  'aGVsbG9',
  'QR',
])('refuses %j', (text) => {
  expect(decodeBase64(text)).toBeNull();
});

test('nothing is no bytes', () => {
  expect(decodeBase64('')).toEqual(Buffer.alloc(0));
});
