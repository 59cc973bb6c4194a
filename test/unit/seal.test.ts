import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { macOf, sealFault } from '../../src/keyring/seal/seal.ts';
import { decodeSeal, encodeSeal } from '../../src/vault/pkcs11/token/seal-form.ts';

const key = Buffer.alloc(32, 7);
const content = { version: 1, keyring: 'ring', keys: [{ id: 'b', a: null }], active: 'ä' };

describe('the MAC of key records', () => {
  test('is HMAC-SHA256 over label, counter and sorted members, as anybody can compute it', () => {
    const text =
      'signing-agent records 1\n12\n{"active":"ä","keyring":"ring","keys":[{"a":null,"id":"b"}],"version":1}';
    const expected = createHmac('sha256', key).update(text, 'utf8').digest('hex');
    expect(macOf(content, { key, counter: 12 }).toString('hex')).toBe(expected);
  });

  test('is another one for every other counter, key and value, and the same for another order', () => {
    const mac = macOf(content, { key, counter: 12 });
    expect(macOf(content, { key, counter: 13 })).not.toEqual(mac);
    expect(macOf(content, { key: Buffer.alloc(32, 8), counter: 12 })).not.toEqual(mac);
    expect(macOf({ ...content, active: 'a' }, { key, counter: 12 })).not.toEqual(mac);
    const reversed = Object.fromEntries(Object.entries(content).reverse());
    expect(macOf(reversed, { key, counter: 12 })).toEqual(mac);
  });
});

describe('what a seal says', () => {
  const sealed = (counter: number) => ({
    content,
    seal: { counter, mac: macOf(content, { key, counter }) },
  });
  const unsealed = { content, seal: null };
  const token = (counter: number) => ({ key, counter });

  test.each([
    ['the newest', sealed(12), token(12), null],
    ['one that is ahead of the token', sealed(13), token(12), null],
    ['the first one, not yet in the token', sealed(1), token(0), null],
    ['an older copy', sealed(11), token(12), 'older'],
    ['another key', sealed(12), { key: Buffer.alloc(32), counter: 12 }, 'altered'],
    ['no seal', unsealed, token(12), 'unsealed'],
    ['no seal yet', unsealed, token(0), null],
    ['no seal on either side', unsealed, null, null],
    ['a seal that the token does not know', sealed(12), null, 'token_without'],
  ])('of %s', (_, document, seal, fault) => {
    expect(sealFault(document, seal)?.fault ?? null).toBe(fault);
  });
});

describe('a seal in the token', () => {
  const counters = fc.nat({ max: Number.MAX_SAFE_INTEGER });

  test('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), counters, (bytes, counter) => {
        const back = decodeSeal(encodeSeal({ key: bytes, counter }));
        expect(back?.counter).toBe(counter);
        expect(Buffer.from(back?.key ?? [])).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('is none where a byte is missing, added or changed', () => {
    const whole = encodeSeal({ key, counter: 12 });
    for (let length = 0; length < whole.length; length += 1) {
      expect(decodeSeal(whole.subarray(0, length))).toBeNull();
      const changed = Buffer.from(whole);
      changed.writeUInt8(whole.readUInt8(length) ^ 1, length);
      expect(decodeSeal(changed)).toBeNull();
    }
    expect(decodeSeal(Buffer.concat([whole, Buffer.alloc(1)]))).toBeNull();
    expect(decodeSeal(Buffer.alloc(whole.length))).toBeNull();
  });

  test.each([
    ['a short key', { key: Buffer.alloc(31), counter: 1 }],
    ['a negative counter', { key, counter: -1 }],
    ['a counter that is no whole number', { key, counter: 1.5 }],
  ])('is not written with %s', (_, seal) => {
    expect(() => encodeSeal(seal)).toThrow(RangeError);
  });
});
