import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MinisignFormatError } from '../../src/formats/minisign/format.ts';
import { keyIdOf, keyIdText } from '../../src/formats/minisign/key-id.ts';
import {
  encodePublicKeyFile,
  publicKeyOf,
  readPublicKeyFile,
} from '../../src/formats/minisign/public-key.ts';
import { decodeSignatureFile, encodeSignatureFile } from '../../src/formats/minisign/signature.ts';
import {
  faultOfTrustedComment,
  usualTrustedComment,
} from '../../src/formats/minisign/trusted-comment.ts';
import { kidOf } from '../../src/algorithms/kid.ts';

const exactly = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes));

describe('minisign files', () => {
  it('are read back as they were written', () => {
    const made = fc.record({
      isPrehashed: fc.boolean(),
      keyId: exactly(8),
      signature: exactly(64),
      trustedComment: fc
        .string({ unit: 'binary' })
        .filter((text) => faultOfTrustedComment(text) === null)
        .map((text) => Buffer.from(text)),
      globalSignature: exactly(64),
    });
    fc.assert(
      fc.property(made, (signature) => {
        const text = encodeSignatureFile(signature, 'x');
        expect(decodeSignatureFile(Buffer.from(text))).toEqual(signature);
        const crlf = text.replaceAll('\n', '\r\n');
        expect(decodeSignatureFile(Buffer.from(crlf))).toEqual(signature);
      }),
    );
    fc.assert(
      fc.property(exactly(32), (bytes) => {
        expect(readPublicKeyFile(encodePublicKeyFile(bytes))).toEqual({
          bytes,
          keyId: keyIdOf(bytes),
        });
      }),
    );
  });

  it('that are none throw, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const prefixed = Buffer.concat([Buffer.from('untrusted comment: '), bytes]);
        for (const file of [Buffer.from(bytes), prefixed]) {
          expect(() => decodeSignatureFile(file)).toThrow(MinisignFormatError);
          expect(() => readPublicKeyFile(file.toString())).toThrow(MinisignFormatError);
        }
      }),
    );
    expect(publicKeyOf(Buffer.alloc(42))).toBeNull();
  });
});

describe('key ids', () => {
  it('begin as the kid does, and are shown the other way round', () => {
    const bytes = Buffer.alloc(32, 7);
    expect(keyIdOf(bytes).toString('hex').slice(0, 8)).toBe(kidOf(bytes));
    expect(keyIdText(Buffer.from('b74bee8a64c21b40', 'hex'))).toBe('401BC2648AEE4BB7');
  });
});

describe('trusted comments', () => {
  it.each(['', 'a\tb', 'Fassung 1, geprüft', 'x'.repeat(8173), '🔏'])('may be %j', (text) => {
    expect(faultOfTrustedComment(text)).toBeNull();
  });
  it.each([
    'a\n',
    'a\rb',
    '\0',
    '\u001b',
    '\u007f',
    '\u0085',
    '\u2028',
    '\ud800',
    'ü'.repeat(4087),
  ])('may not be %j', (text) => {
    expect(faultOfTrustedComment(text)).toBeTypeOf('string');
  });
  it('are by custom the time, the file and the form', () => {
    expect(usualTrustedComment('a', 1_500_999)).toBe('timestamp:1500\tfile:a\thashed');
    expect(usualTrustedComment(null, 0)).toBe('timestamp:0\thashed');
  });
});
