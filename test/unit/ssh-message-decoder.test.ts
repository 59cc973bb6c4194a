import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageDecoder } from '../../src/server/ssh-agent/message-decoder.ts';
import { sshString } from '../../src/formats/ssh/wire.ts';

const limit = 64;

/** Everything that comes out of these chunks, pulled after each. */
function decode(chunks: readonly Uint8Array[], most = limit) {
  const decoder = new MessageDecoder(most);
  const messages: Buffer[] = [];
  for (const chunk of chunks) {
    decoder.push(Buffer.from(chunk));
    for (let next = decoder.next(); next !== null; next = decoder.next()) {
      messages.push(Buffer.from(next));
    }
    expect(decoder.waiting).toBe(false);
  }
  return { messages, tooLarge: decoder.tooLarge, partial: decoder.partial };
}

const payload = fc.uint8Array({ minLength: 1, maxLength: limit });

test('messages come out whole however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(payload, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.uint8Array({ maxLength: 3 }),
      (payloads, cuts, rest) => {
        const stream = Buffer.concat([...payloads.map(sshString), rest]);
        const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length];
        places.sort((a, b) => a - b);
        const chunks = places.map((place, at) => stream.subarray(place, places[at + 1]));
        expect(decode(chunks)).toEqual({
          messages: payloads.map((bytes) => Buffer.from(bytes)),
          tooLarge: false,
          partial: rest.length > 0,
        });
      },
    ),
  );
});

test('byte by byte', () => {
  const stream = Buffer.concat([sshString('one'), sshString('two')]);
  const { messages, partial } = decode([...stream].map((byte) => Buffer.of(byte)));
  expect(messages.map(String)).toEqual(['one', 'two']);
  expect(partial).toBe(false);
});

test.each([
  ['of no length', '00000000'],
  ['over the limit', '00000041'],
  ['of 4 GiB', 'ffffffff'],
])(
  'a message %s is known by its length, however that comes; nothing follows it',
  (_what, length) => {
    const stream = Buffer.concat([
      sshString('before'),
      Buffer.from(length, 'hex'),
      sshString('behind'),
    ]);
    const chunked = [[stream], [...stream].map((byte) => Buffer.of(byte))];
    for (const chunks of chunked) {
      const { messages, tooLarge } = decode(chunks);
      expect(messages.map(String)).toEqual(['before']);
      expect(tooLarge).toBe(true);
    }
    expect(decode([Buffer.from(length, 'hex')])).toEqual({
      messages: [],
      tooLarge: true,
      partial: false,
    });
  },
);

test('a message as long as the limit is taken', () => {
  expect(decode([sshString(Buffer.alloc(limit, 1))]).messages).toHaveLength(1);
});

test('a limit that falls while a message is on its way counts for the next one', () => {
  const decoder = new MessageDecoder(2000);
  const whole = sshString(Buffer.alloc(1500, 7));
  decoder.push(whole.subarray(0, 700));
  expect(decoder.next()).toBeNull();
  decoder.maxFrameBytes = 100;
  decoder.push(whole.subarray(700));
  expect(decoder.next()).toEqual(Buffer.alloc(1500, 7));
  decoder.push(sshString(Buffer.alloc(101)));
  expect(decoder.next()).toBeNull();
  expect(decoder.tooLarge).toBe(true);
});

test('what was announced takes memory only as it comes', () => {
  const decoder = new MessageDecoder(256 * 1024);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(256 * 1024);
  decoder.push(length);
  decoder.push(Buffer.alloc(100));
  const before = process.memoryUsage().arrayBuffers;
  expect(decoder.next()).toBeNull();
  expect(decoder.partial).toBe(true);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024);
});
