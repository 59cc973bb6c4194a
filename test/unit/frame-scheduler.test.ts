import { beforeEach, describe, expect, test } from 'vitest';
import type { Share } from '../../src/access/share.ts';
import { FrameScheduler } from '../../src/server/socket/frame-scheduler.ts';
import { Lane, type FrameSource } from '../../src/server/socket/lane.ts';

let now: number;
let scheduler: FrameScheduler;
/** Names of the sources whose frames were handed on, in order. */
let handedOn: string[];
beforeEach(() => {
  now = 0;
  scheduler = new FrameScheduler(() => now);
  handedOn = [];
});

const laneOf = (name: string, kind: Share['kind'] = 'user'): Lane => new Lane({ kind, name });
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A connection with so many frames, each of which takes so long. */
class Source implements FrameSource {
  readonly name: string;
  readonly lane: Lane;
  readonly #takes: number;
  frames: number;
  /** Of this test: what an earlier one began may go on. */
  readonly #handedOn = handedOn;

  constructor(name: string, lane: Lane, frames: number, takes = 0.1) {
    this.name = name;
    this.lane = lane;
    this.frames = frames;
    this.#takes = takes;
  }

  handOn(): boolean {
    if (this.frames === 0) return false;
    this.frames -= 1;
    now += this.#takes;
    this.#handedOn.push(this.name);
    return true;
  }
}

async function untilDone(...sources: readonly Source[]): Promise<void> {
  while (sources.some(({ frames }) => frames > 0)) await nextTurn();
}

describe('who is alone', () => {
  test('is served at once, and not at the next turn of the loop', () => {
    scheduler.ready(new Source('lone', laneOf('a'), 3));
    expect(handedOn).toEqual(['lone', 'lone', 'lone']);
  });

  test('leaves the loop to others when the time of a turn is over, and goes on in the next', async () => {
    const lone = new Source('lone', laneOf('a'), 100);
    scheduler.ready(lone);
    const inFirst = handedOn.length;
    expect(inFirst).toBeLessThan(25); // 2 ms of frames of 0.1 ms
    expect(inFirst).toBeGreaterThan(15);
    expect(scheduler.isWaiting(lone)).toBe(true);
    await nextTurn();
    expect(handedOn.length).toBeGreaterThan(inFirst);
    expect(handedOn.length - inFirst).toBeLessThan(25);
    await untilDone(lone);
  });
});

describe('a user with many connections', () => {
  test('has the turns of one, and each connection its own', async () => {
    const flood = laneOf('flood');
    const sources = Array.from({ length: 1000 }, (_, at) => new Source(`f${at}`, flood, 64));
    for (const source of sources) scheduler.ready(source);
    const before = handedOn.length;
    const other = new Source('other', laneOf('other'), 4);
    scheduler.ready(other);
    await untilDone(other);
    // A few frames of the flood come between its own: as much time, and not 64,000.
    expect(handedOn.length - before).toBeLessThan(60);
    const first = handedOn
      .slice(before)
      .filter((name) => name !== 'other')
      .slice(0, 20);
    expect(first.length).toBeGreaterThan(5);
    expect(new Set(first).size).toBe(first.length);
  });

  test('with slow frames has no more time than one with fast frames', async () => {
    const slow = new Source('slow', laneOf('slow'), 40, 1);
    const fast = new Source('fast', laneOf('fast'), 400, 0.1);
    scheduler.ready(slow);
    scheduler.ready(fast);
    while (fast.frames > 200) await nextTurn();
    const ofSlow = handedOn.filter((name) => name === 'slow').length;
    expect(ofSlow).toBeLessThan(30); // 200 fast frames take 20 ms
    await untilDone(slow, fast);
  });
});

test('every second turn is for root, however many users wait', async () => {
  const users = Array.from({ length: 50 }, (_, at) => new Source('user', laneOf(`u${at}`), 50));
  for (const user of users) scheduler.ready(user);
  const root = new Source('root', laneOf('uid 0', 'own'), 20);
  const before = handedOn.length;
  scheduler.ready(root);
  await untilDone(root);
  expect(handedOn.slice(before).filter((name) => name === 'user').length).toBeLessThan(25);
});

test('callers without a scope have less time than a user', async () => {
  const strangers = new Source('stranger', laneOf('all', 'stranger'), 1000);
  const user = new Source('user', laneOf('u'), 200);
  scheduler.ready(strangers);
  handedOn.length = 0;
  scheduler.ready(user);
  await untilDone(user);
  expect(handedOn.filter((name) => name === 'stranger').length).toBeLessThan(150);
});

test('of a connection that is gone nothing is handed on', async () => {
  const first = new Source('first', laneOf('a'), 1000);
  const gone = new Source('gone', laneOf('b'), 10);
  scheduler.ready(first);
  scheduler.ready(gone);
  scheduler.forget(gone);
  handedOn.length = 0;
  while (first.frames > 0) await nextTurn();
  expect(handedOn).not.toContain('gone');
});

describe('what is in work', () => {
  test('keeps a share waiting, and goes on when something of it is done', async () => {
    const lane = laneOf('busy');
    const { maxInFlightAlone } = lane.limits;
    for (let count = 0; count < maxInFlightAlone; count += 1) lane.begin(10);
    const source = new Source('busy', lane, 1);
    scheduler.ready(source);
    await nextTurn();
    expect(handedOn).toEqual([]);
    const other = new Source('other', laneOf('other'), 1);
    scheduler.ready(other);
    expect(handedOn).toEqual(['other']);
    // Beside another user less is enough to be kept waiting.
    for (let count = 0; count < maxInFlightAlone - lane.limits.maxInFlight; count += 1) {
      lane.end(10, 1);
      scheduler.eased(lane);
    }
    await nextTurn();
    lane.end(10, 1);
    scheduler.eased(lane);
    await nextTurn();
    expect(handedOn).toEqual(['other', 'busy']);
  });

  test('is less where it takes long, and as much as before when it does no more', () => {
    const lane = laneOf('slow');
    const { fewestInFlight, maxInFlightAlone } = lane.limits;
    const done = (ms: number): void => {
      lane.begin(1);
      lane.end(1, ms);
    };
    for (let count = 0; count < 1000; count += 1) done(100);
    for (let count = 0; count < fewestInFlight; count += 1) lane.begin(1);
    expect(lane.isFull(true)).toBe(true);
    for (let count = 0; count < 2000; count += 1) done(1);
    for (let count = fewestInFlight; count < maxInFlightAlone - 1; count += 1) lane.begin(1);
    expect(lane.isFull(true)).toBe(false);
    lane.begin(1);
    expect(lane.isFull(true)).toBe(true);
  });

  test('counts by its bytes too, and so do answers that nobody takes', () => {
    const lane = laneOf('large');
    lane.begin(lane.limits.maxInFlightBytes);
    expect(lane.isFull(true)).toBe(true);
    lane.end(lane.limits.maxInFlightBytes, 1);
    expect(lane.isFull(true)).toBe(false);
    lane.unsent(lane.limits.maxUnsentBytes);
    expect(lane.isFull(true)).toBe(true);
    lane.unsent(-1);
    expect(lane.isFull(true)).toBe(false);
  });
});

test('what nobody has looked at leaves no room to read more, until it is looked at', () => {
  const lane = laneOf('reader');
  lane.buffered(lane.limits.maxBufferedBytes);
  expect(lane.hasRoomToRead).toBe(false);
  const told: string[] = [];
  lane.awaitRoom(() => told.push('first'));
  const takeBack = lane.awaitRoom(() => told.push('second'));
  lane.awaitRoom(() => told.push('third'));
  takeBack();
  lane.buffered(-1);
  expect(told).toEqual(['first']);
  lane.buffered(-1);
  expect(told).toEqual(['first', 'third']);
});

test('with nothing left to look at, everybody reads on: who is told first may have nothing to read', () => {
  const lane = laneOf('reader');
  lane.buffered(lane.limits.maxBufferedBytes);
  const told: string[] = [];
  for (const name of ['first', 'second', 'third']) lane.awaitRoom(() => told.push(name));
  lane.buffered(-lane.limits.maxBufferedBytes);
  expect(told).toEqual(['first', 'second', 'third']);
});
