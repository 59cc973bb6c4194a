import { expect, test } from 'vitest';
import { Lane } from '../../src/server/socket/lane.ts';
import { LongFrames } from '../../src/server/socket/long-frames.ts';

const mebibyte = 1024 * 1024;
const user = (name: string): Lane => new Lane({ kind: 'user', name });

test('one share has sixteen megabytes of them, and the next goes on where one has ended', () => {
  const frames = new LongFrames(mebibyte);
  const [flood, other] = [user('flood'), user('other')];
  const told: string[] = [];
  const go = (name: string) => (): void => void told.push(name);
  for (let count = 0; count < 16; count += 1) expect(frames.begin(flood, go('never'))).toBeNull();
  expect(frames.begin(flood, go('first'))).not.toBeNull();
  const takeBack = frames.begin(flood, go('gone'));
  expect(frames.begin(flood, go('third'))).not.toBeNull();
  expect(frames.begin(other, go('never'))).toBeNull();
  takeBack?.();
  frames.end(other);
  expect(told).toEqual([]);
  frames.end(flood);
  expect(told).toEqual(['first']);
  frames.end(flood);
  expect(told).toEqual(['first', 'third']);
});

test('all shares have them four times together, and root once more', () => {
  const frames = new LongFrames(8 * mebibyte);
  const never = (): void => undefined;
  for (const name of ['a', 'b', 'c', 'd']) {
    const lane = user(name);
    expect([frames.begin(lane, never), frames.begin(lane, never)]).toEqual([null, null]);
  }
  expect(frames.begin(user('e'), never)).not.toBeNull();
  expect(frames.begin(new Lane({ kind: 'own', name: 'uid 0' }), never)).toBeNull();
});

test('of the longest frames that there can be a share has two all the same', () => {
  const frames = new LongFrames(16 * mebibyte);
  const lane = user('a');
  const never = (): void => undefined;
  expect([frames.begin(lane, never), frames.begin(lane, never)]).toEqual([null, null]);
  expect(frames.begin(lane, never)).not.toBeNull();
});
