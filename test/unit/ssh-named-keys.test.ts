import { expect, test } from 'vitest';
import { kidOf } from '../../src/algorithms/kid.ts';
import { NamedKeys } from '../../src/server/ssh-agent/named-keys.ts';
import { encodePublicKey } from '../../src/formats/ssh/public-key.ts';

const blobOf = (fill: number): Buffer => encodePublicKey('ed25519', Buffer.alloc(32, fill));

test('the same blob again is the same key; another one is another', () => {
  const keys = new NamedKeys();
  const first = keys.read(blobOf(1));
  expect(first).toEqual({
    algorithm: 'ed25519',
    bytes: Buffer.alloc(32, 1),
    kid: kidOf(Buffer.alloc(32, 1)),
  });
  expect(keys.read(blobOf(1))).toBe(first);
  expect(keys.read(blobOf(2))?.kid).toBe(kidOf(Buffer.alloc(32, 2)));
  expect(keys.read(blobOf(1))).toEqual(first);
});

test('what is read is not the bytes of a request, which others may write', () => {
  const keys = new NamedKeys();
  const blob = blobOf(1);
  const key = keys.read(blob);
  blob.fill(0);
  expect(key?.bytes).toEqual(Buffer.alloc(32, 1));
  expect(keys.read(blob)).toBeNull();
  expect(keys.read(blobOf(1))).toBe(key);
});
