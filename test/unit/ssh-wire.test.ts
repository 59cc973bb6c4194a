import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mpint, SshFormatError, SshReader, sshString, uint32 } from '../../src/formats/ssh/wire.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const read = (text: string): SshReader => new SshReader(hex(text));

describe('what is written', () => {
  test('uint32 and string', () => {
    expect(uint32(0)).toEqual(hex('00000000'));
    expect(uint32(0xffff_fffe)).toEqual(hex('fffffffe'));
    expect(sshString('')).toEqual(hex('00000000'));
    expect(sshString('testing')).toEqual(hex('0000000774657374696e67'));
    expect(sshString('é')).toEqual(hex('00000002c3a9'));
    expect(sshString(hex('00ff'))).toEqual(hex('0000000200ff'));
  });

  // The examples of RFC 4251, section 5, that are not negative.
  test.each([
    ['', '00000000'],
    ['00', '00000000'],
    ['09a378f9b2e332a7', '0000000809a378f9b2e332a7'],
    ['80', '000000020080'],
    ['000080', '000000020080'],
    ['7f', '000000017f'],
  ])('mpint of %j', (number, written) => {
    expect(mpint(hex(number))).toEqual(hex(written));
  });
});

describe('what is read', () => {
  test('one value after the other, to the end', () => {
    const reader = read('05 00000100 00000002c3a9 01 00'.replaceAll(' ', ''));
    expect(reader.byte()).toBe(5);
    expect(reader.uint32()).toBe(256);
    expect(reader.text()).toBe('é');
    expect(reader.boolean()).toBe(true);
    expect(reader.atEnd).toBe(false);
    expect(() => {
      reader.end();
    }).toThrow(SshFormatError);
    expect(reader.boolean()).toBe(false);
    expect(reader.atEnd).toBe(true);
    reader.end();
  });

  test('any byte but zero is true', () => {
    expect(read('ff').boolean()).toBe(true);
  });

  test.each([
    ['a byte', '', (reader: SshReader) => reader.byte()],
    ['a uint32', '000000', (reader: SshReader) => reader.uint32()],
    ['the length of a string', '0000', (reader: SshReader) => reader.string()],
    ['a string', '00000003aabb', (reader: SshReader) => reader.string()],
    ['a string of 4 GiB', 'ffffffff00', (reader: SshReader) => reader.string()],
    ['a text', '00000003aabb', (reader: SshReader) => reader.text()],
    ['an mpint', '0000000301', (reader: SshReader) => reader.mpint(32)],
  ])('%s that is cut off is refused', (_what, bytes, take) => {
    expect(() => take(read(bytes))).toThrow(SshFormatError);
  });

  test('a text that is not UTF-8 is refused', () => {
    expect(() => read('00000002c328').text()).toThrow(SshFormatError);
  });

  test('a byte order mark is part of a text', () => {
    expect(read('00000003efbbbf').text()).toBe('\ufeff');
  });

  test.each([
    ['zero', '00000000', '00000000'],
    ['with its sign byte', '000000020080', '00000080'],
    ['as long as may be', '0000000500ffffffff', 'ffffffff'],
    ['without a sign byte', '000000047fffffff', '7fffffff'],
  ])('a number %s', (_what, bytes, number) => {
    const reader = read(bytes);
    expect(reader.mpint(4)).toEqual(hex(number));
    reader.end();
  });

  test.each([
    ['negative', '0000000180'],
    ['with a zero that says nothing', '00000002007f'],
    ['that is a zero byte', '0000000100'],
    ['that is too large', '000000050100000000'],
  ])('a number %s is refused', (_what, bytes) => {
    expect(() => read(bytes).mpint(4)).toThrow(SshFormatError);
  });
});

test('what was written is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
      const reader = new SshReader(Buffer.concat([sshString(a), mpint(b), uint32(a.length)]));
      expect(reader.string()).toEqual(Buffer.from(a));
      expect(reader.mpint(40)).toEqual(Buffer.concat([Buffer.alloc(40 - b.length), b]));
      expect(reader.uint32()).toBe(a.length);
      reader.end();
    }),
  );
});
