import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameDecoder } from '../../src/base/line-frames.ts';

const limit = 40;

/** Every frame of a stream that arrives in these pieces, and how it ended. */
function decode(pieces: Iterable<Buffer>, maxFrameBytes = limit) {
  const decoder = new FrameDecoder(maxFrameBytes);
  const frames: string[] = [];
  for (const piece of pieces) {
    decoder.push(piece);
    for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
      frames.push(frame.toString('latin1'));
    }
  }
  return { frames, tooLarge: decoder.tooLarge, partial: decoder.partial };
}

function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (stream.length + 1)), stream.length];
  ends.sort((a, b) => a - b);
  return ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end));
}

describe('FrameDecoder', () => {
  const byte = fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 }));
  const streams = fc.array(byte, { maxLength: 400 }).map((bytes) => Buffer.from(bytes));

  it('finds the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(), { maxLength: 50 }), (stream, places) => {
        const whole = decode([stream]);
        expect(decode(cut(stream, places))).toEqual(whole);
        expect(decode(Array.from(stream, (value) => Buffer.of(value)))).toEqual(whole);
      }),
    );
  });

  it('agrees with splitting the text at its newlines', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        const lines = stream.toString('latin1').split('\n');
        const long = lines.findIndex((line) => line.length > limit);
        const last = lines.at(-1) ?? '';
        expect(decode([stream])).toEqual({
          frames: long === -1 ? lines.slice(0, -1) : lines.slice(0, long),
          tooLarge: long !== -1,
          partial: long === -1 && last.length > 0,
        });
      }),
    );
  });

  it('gives the same frames when many chunks are pushed before any is pulled', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(), { maxLength: 20 }), (stream, places) => {
        const decoder = new FrameDecoder(limit);
        for (const piece of cut(stream, places)) decoder.push(piece);
        const frames: string[] = [];
        for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
          frames.push(frame.toString('latin1'));
        }
        expect(frames).toEqual(decode([stream]).frames);
      }),
    );
  });

  it('takes a frame of exactly the limit and refuses one byte more before its newline came', () => {
    expect(decode([Buffer.from(`${'x'.repeat(limit)}\n`)]).frames).toEqual(['x'.repeat(limit)]);
    expect(decode([Buffer.from('x'.repeat(limit + 1))])).toEqual({
      frames: [],
      tooLarge: true,
      partial: false,
    });
  });

  it('hands out a view of the chunk where the frame lies within it', () => {
    const chunk = Buffer.from('one\ntwo\n');
    const decoder = new FrameDecoder(limit);
    decoder.push(chunk);
    expect(decoder.next()?.buffer).toBe(chunk.buffer);
    expect(decoder.next()?.buffer).toBe(chunk.buffer);
  });

  it('keeps a frame as it was while the next one is put together', () => {
    const decoder = new FrameDecoder(limit);
    decoder.push(Buffer.from('fir'));
    decoder.next();
    decoder.push(Buffer.from('st\nsec'));
    const first = decoder.next();
    decoder.next();
    decoder.push(Buffer.from('ond\n'));
    expect([first, decoder.next()].map(String)).toEqual(['first', 'second']);
  });

  it('holds a frame of 100,000 one-byte chunks in one buffer no larger than the limit', () => {
    const bytes = 100_000;
    const decoder = new FrameDecoder(bytes);
    let early = 0;
    for (let sent = 0; sent < bytes; sent++) {
      decoder.push(Buffer.of(0x78));
      if (decoder.next() !== null) early++;
    }
    expect(early).toBe(0);
    decoder.push(Buffer.of(0x0a));
    const frame = decoder.next();
    expect(frame?.length).toBe(bytes);
    expect(frame?.buffer.byteLength).toBeLessThanOrEqual(bytes);
  });
});
