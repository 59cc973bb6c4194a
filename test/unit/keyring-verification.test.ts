import { sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { kidOf } from '../../src/algorithms/kid.ts';
import { Verifications } from '../../src/keyring/verification.ts';
import { privateKeyOf, publicKeyOf } from '../../src/vault/file/seed.ts';

const message = Buffer.from('whose is it?');
const seeds = Array.from({ length: 17 }, (_, at) => Buffer.alloc(32, at + 1));
const keys = seeds.map((seed) => {
  const publicKey = publicKeyOf(seed);
  const kid = kidOf(publicKey);
  return { kid, publicKey, objectId: kid, createdAt: '2026-05-14T18:00:00Z' };
});
const signedBy = (at: number): Buffer =>
  sign(null, message, privateKeyOf(seeds[at] ?? Buffer.alloc(0)));
const verifications = new Verifications(algorithms.ed25519);

describe('a signature whose key is not named', () => {
  test('is tried with sixteen keys', async () => {
    const claim = { message, signature: signedBy(15), kid: null };
    await expect(verifications.of(keys, claim)).resolves.toEqual({
      valid: true,
      kid: keys[15]?.kid,
    });
  });

  test('and with no more: to say that it is none takes the kid then', async () => {
    const signature = signedBy(16);
    await expect(verifications.of(keys, { message, signature, kid: null })).rejects.toMatchObject({
      kind: 'too_large',
      details: { limit: 16 },
    });
    const kid = keys[16]?.kid ?? '';
    const named = await verifications.of(keys, { message, signature, kid });
    expect(named).toEqual({ valid: true, kid });
    const fewer = await verifications.of(keys.slice(0, 16), { message, signature, kid: null });
    expect(fewer).toMatchObject({ valid: false, kid: null });
  });
});

test('a key whose name is not its own verifies nothing else', async () => {
  const [first, second] = keys;
  const claim = { message, signature: signedBy(0), kid: second?.kid ?? '' };
  expect(await verifications.of(keys, claim)).toMatchObject({ valid: false });
  expect(await verifications.of(keys, { ...claim, kid: first?.kid ?? '' })).toMatchObject({
    valid: true,
  });
});
