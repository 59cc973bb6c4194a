import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBech32, encodeBech32 } from '../../src/formats/age/bech32.ts';

describe('Bech32', () => {
  test('what is encoded is decoded again, in either case', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 70 }),
        fc.stringMatching(/^[a-z0-9]{1,20}$/),
        (bytes, prefix) => {
          const text = encodeBech32(prefix, bytes);
          expect(decodeBech32(text)).toEqual({ prefix, bytes });
          expect(decodeBech32(text.toUpperCase())).toEqual({ prefix, bytes });
        },
      ),
    );
  });

  test('one changed character is noticed', () => {
    const text = encodeBech32('age', Buffer.alloc(32, 9));
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom(...Array.from('qpzry9x8gf2tvdw0s3jn54khce6mua7l')),
        (at, other) => {
          fc.pre(text[at] !== other && at > 'age'.length);
          expect(decodeBech32(text.slice(0, at) + other + text.slice(at + 1))).toBeNull();
        },
      ),
    );
  });

  // BIP 173, "Test vectors": these must be accepted where their words make whole bytes, those below refused.
  test.each([
    'A12UEL5L',
    'abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw',
    'split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w',
  ])('the vector %s has a right checksum', (text) => {
    const decoded = decodeBech32(text);
    // Some vectors are words that make no whole bytes; those that do encode to the same text again.
    if (decoded !== null) {
      expect(encodeBech32(decoded.prefix, decoded.bytes)).toBe(text.toLowerCase());
    }
    const wrong = text.slice(0, -1) + (text.endsWith('w') ? 'q' : 'p');
    expect(decodeBech32(wrong)).toBeNull();
  });

  test.each([
    ['a space in the prefix', '\x201nwldj5'],
    ['DEL in the prefix', '\x7f1axkwrx'],
    ['no separator', 'pzry9x0s0muk'],
    ['no prefix', '1pzry9x0s0muk'],
    ['a foreign character', 'x1b4n0q5v'],
    ['a short checksum', 'li1dgmt3'],
    ['a checksum of the other case', 'A1G7SGD8'],
    ['an empty prefix', '10a06t8'],
    ['both cases', 'A12UEl5L'],
    ['nothing', ''],
    ['a letter that only looks like one', 'A12UEL5\u212a'],
  ])('BIP 173 refuses %s', (_, text) => {
    expect(decodeBech32(text)).toBeNull();
  });
});
