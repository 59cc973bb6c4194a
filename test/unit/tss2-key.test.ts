import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TpmFormatError } from '../../src/formats/tpm/bytes.ts';
import { CC } from '../../src/formats/tpm/constants.ts';
import { encodeTss2Key, parseTss2Key, type Tss2Key } from '../../src/formats/tpm/tss2-key.ts';

const key: Tss2Key = {
  type: 'loadable',
  emptyAuth: true,
  policy: [],
  parent: 0x40000001,
  public: Buffer.from('public area'),
  private: Buffer.from('private area'),
};

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
}

function pemOf(der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  return `-----BEGIN TSS2 PRIVATE KEY-----\n${base64}\n-----END TSS2 PRIVATE KEY-----\n`;
}

describe('a key file of a TPM', () => {
  it('has the type, whether it takes no authorisation, the parent and both parts, in DER', () => {
    expect(derOf(encodeTss2Key(key)).toString('hex')).toBe(
      '3032' +
        '06066781050a0103' + // 2.23.133.10.1.3
        'a0030101ff' +
        '020440000001' +
        `040d000b${Buffer.from('public area').toString('hex')}` +
        `040e000c${Buffer.from('private area').toString('hex')}`,
    );
  });

  it('is read as it was written', () => {
    const bytes = fc.uint8Array({ maxLength: 700 }).map((each) => Buffer.from(each));
    const any = fc.record({
      type: fc.constantFrom('loadable' as const, 'importable' as const, 'sealed' as const),
      emptyAuth: fc.boolean(),
      policy: fc.array(
        fc.record({ code: fc.constantFrom(CC.PolicyPCR, CC.PolicyAuthValue), statement: bytes }),
        { maxLength: 3 },
      ),
      parent: fc.integer({ min: 0, max: 0xffffffff }),
      public: bytes,
      private: bytes,
    });
    fc.assert(
      fc.property(any, (given) => {
        expect(parseTss2Key(encodeTss2Key(given))).toEqual(given);
      }),
    );
  });

  it('is found between other text, and takes a description', () => {
    expect(parseTss2Key(`# a key\n${encodeTss2Key(key)}more`)).toEqual(key);
    const der = derOf(encodeTss2Key(key));
    const parentAt = der.indexOf(Buffer.from('020440000001', 'hex'));
    const description = Buffer.from('a4030c0141', 'hex');
    const longer = Buffer.concat([der.subarray(0, parentAt), description, der.subarray(parentAt)]);
    longer[1] = (longer[1] ?? 0) + description.length;
    expect(parseTss2Key(pemOf(longer))).toEqual(key);
    const secret = Buffer.from(longer);
    secret[parentAt] = 0xa2;
    expect(() => parseTss2Key(pemOf(secret))).toThrow(/field secret, which is not supported/);
  });

  it('is refused where it is cut off, and where any byte makes it another thing', () => {
    const der = derOf(
      encodeTss2Key({ ...key, policy: [{ code: CC.PolicyPCR, statement: Buffer.alloc(40) }] }),
    );
    for (let length = 0; length < der.length; length += 1) {
      expect(() => parseTss2Key(pemOf(der.subarray(0, length)))).toThrow(TpmFormatError);
    }
    expect(() => parseTss2Key(pemOf(Buffer.concat([der, Buffer.of(0)])))).toThrow(TpmFormatError);
    for (let at = 0; at < der.length; at += 1) {
      for (const value of [0, 0x7f, 0x80, 0x84, 0xff]) {
        const changed = Buffer.from(der);
        changed[at] = value;
        try {
          parseTss2Key(pemOf(changed));
        } catch (failure) {
          expect(failure).toBeInstanceOf(TpmFormatError);
        }
      }
    }
  });

  it.each(['', 'hello', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'])(
    'is none where the text is %j',
    (text) => {
      expect(() => parseTss2Key(text)).toThrow(/no PEM with the label TSS2 PRIVATE KEY/);
    },
  );
});
