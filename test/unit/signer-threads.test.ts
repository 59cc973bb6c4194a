import { expect, test } from 'vitest';
import { SignerThreads } from '../../src/vault/host/signer-threads.ts';
import type { Lending } from '../../src/vault/hosted.ts';

/** Lends what is in the list, one after the other; null: the token opens none then. */
function lendingOf(sessions: (number | null)[]): Lending {
  return {
    library: '/module.so',
    longest: null,
    lend: () => {
      const session = sessions.shift();
      if (typeof session === 'number') return Buffer.of(session);
      throw new Error('the token opens no session');
    },
    takeBack: () => undefined,
    handleOf: () => null,
    signAfter: () => Promise.reject(new Error('not called here')),
  };
}

test('a thread that had no session when the one after it was started is started later', () => {
  const started: number[] = [];
  const threads = new SignerThreads({ start: (channel) => started.push(channel), most: 4 });
  expect(threads.lend(1, lendingOf([null, 7]), 2).sessions).toEqual([null, '07']);
  expect(started).toEqual([1]);
  expect(threads.lend(2, lendingOf([8, 9]), 2).sessions).toEqual(['08', '09']);
  expect(started).toEqual([1, 0]);
});

test('a thread is started for whichever vault first has a session for it, once', () => {
  const started: number[] = [];
  const threads = new SignerThreads({ start: (channel) => started.push(channel), most: 4 });
  threads.lend(1, lendingOf([1, 2]), 2);
  threads.lend(2, lendingOf([3, 4, 5, 6]), 4);
  threads.lend(1, lendingOf([7, 8]), 4);
  expect(started).toEqual([0, 1, 2, 3]);
});
