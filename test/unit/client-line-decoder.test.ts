import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineDecoder } from '../../src/client/line-decoder.ts';

describe('lines of the agent', () => {
  it('come out the same however the bytes are cut', () => {
    const lines = fc.array(
      fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', '')),
    );
    fc.assert(
      fc.property(lines, fc.array(fc.nat(40)), (texts, cuts) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const decoder = new LineDecoder(1 << 20);
        const seen: string[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          const end = Math.min(bytes.length, at + cut);
          if (end > at) seen.push(...(decoder.push(bytes.subarray(at, end)) ?? ['too long']));
          at = end;
        }
        expect(seen).toEqual(texts);
      }),
    );
  });

  it('are as long as the limit and no longer', () => {
    const line = (length: number): Buffer => Buffer.from(`${'x'.repeat(length)}\n`);
    expect(new LineDecoder(8).push(line(8))).toEqual(['x'.repeat(8)]);
    expect(new LineDecoder(8).push(line(9))).toBeNull();
    expect(new LineDecoder(8).push(Buffer.from('x'.repeat(9)))).toBeNull();
    const decoder = new LineDecoder(8);
    expect(decoder.push(Buffer.from('1\nxxxxx'))).toEqual(['1']);
    expect(decoder.push(Buffer.from('xxxx\n'))).toBeNull();
  });

  it('may be long and come in small pieces', () => {
    const decoder = new LineDecoder(32 * 1024 * 1024);
    const piece = Buffer.alloc(1024, 'x');
    for (let count = 0; count < 16_384; count += 1) decoder.push(piece);
    expect(decoder.push(Buffer.from('\n'))?.[0]).toHaveLength(16 * 1024 * 1024);
  });
});
