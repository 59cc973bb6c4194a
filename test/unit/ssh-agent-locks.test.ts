import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { AgentLocks } from '../../src/server/ssh-agent/locks.ts';

const ada = 1001;
const ben = 1002;
const bytes = (text: string): Buffer => Buffer.from(text);

let pauses: number[];
let waiting: (() => void)[];
let locks: AgentLocks;
beforeEach(() => {
  pauses = [];
  waiting = [];
  locks = new AgentLocks({
    randomBytes,
    pause: (milliseconds) => {
      pauses.push(milliseconds);
      return new Promise((resolve) => waiting.push(resolve));
    },
  });
});

/** A wrong passphrase, to its answer. */
async function wrong(uid: number): Promise<void> {
  const attempt = locks.unlock(uid, bytes('wrong'));
  waiting.shift()?.();
  await expect(attempt).rejects.toMatchObject({ kind: 'unauthenticated' });
}

test('a user locks and unlocks for himself alone', async () => {
  locks.lock(ada, bytes('secret'));
  expect(locks.isLocked(ada)).toBe(true);
  expect(locks.isLocked(ben)).toBe(false);
  expect(() => {
    locks.requireUnlocked(ada);
  }).toThrow(/uid 1001 has locked/);
  locks.requireUnlocked(ben);
  await expect(locks.unlock(ben, bytes('secret'))).rejects.toMatchObject({ kind: 'not_found' });
  await locks.unlock(ada, bytes('secret'));
  expect(locks.isLocked(ada)).toBe(false);
  expect(pauses).toEqual([]);
});

test('a second lock is refused, and changes nothing', async () => {
  locks.lock(ada, bytes('first'));
  expect(() => {
    locks.lock(ada, bytes('second'));
  }).toThrow(expect.objectContaining({ kind: 'already_exists' }));
  await locks.unlock(ada, bytes('first'));
});

test('what is not locked is not unlocked', async () => {
  await expect(locks.unlock(ada, bytes(''))).rejects.toMatchObject({ kind: 'not_found' });
});

test.each(['', 'secret ', 'secre', 'SECRET', 'secret\0'])('%j does not unlock', async (guess) => {
  locks.lock(ada, bytes('secret'));
  const attempt = locks.unlock(ada, bytes(guess));
  waiting.shift()?.();
  await expect(attempt).rejects.toMatchObject({ kind: 'unauthenticated' });
  expect(locks.isLocked(ada)).toBe(true);
});

test('the passphrase is not kept, and stays the caller’s', async () => {
  const passphrase = bytes('secret');
  locks.lock(ada, passphrase);
  passphrase.fill(0);
  await locks.unlock(ada, bytes('secret'));
});

describe('wrong passphrases', () => {
  beforeEach(() => {
    locks.lock(ada, bytes('secret'));
  });

  test('are answered ever later, up to five seconds; a new lock begins anew', async () => {
    for (let count = 0; count < 8; count += 1) await wrong(ada);
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    await locks.unlock(ada, bytes('secret'));
    locks.lock(ada, bytes('secret'));
    await wrong(ada);
    expect(pauses.at(-1)).toBe(100);
  });

  test('while one is held back no other is tried, the right one neither', async () => {
    const attempt = locks.unlock(ada, bytes('wrong'));
    const second = locks.unlock(ada, bytes('secret'));
    await expect(second).rejects.toMatchObject({
      kind: 'rate_limited',
      details: { retry_after_ms: 100 },
    });
    expect(pauses).toEqual([100]);
    waiting.shift()?.();
    await expect(attempt).rejects.toMatchObject({ kind: 'unauthenticated' });
    await locks.unlock(ada, bytes('secret'));
  });

  test('hold nobody else up', async () => {
    locks.lock(ben, bytes('other'));
    const attempt = locks.unlock(ada, bytes('wrong'));
    await locks.unlock(ben, bytes('other'));
    expect(locks.isLocked(ben)).toBe(false);
    waiting.shift()?.();
    await expect(attempt).rejects.toMatchObject({ kind: 'unauthenticated' });
  });
});
