// A process that changes the API keys of a state dir: `DIR NAME CHANGES`. Started as `bundled` has made it.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiKeysFile } from '../../src/access/api-keys-file.ts';
import { entryOf } from '../../src/access/api-keys-format.ts';
import { ApiKeys } from '../../src/access/api-keys.ts';
import { durableFiles } from '../../src/files/durable-files.ts';
import { openLibc } from '../../src/native/libc.ts';

const [dir, name, changes] = process.argv.slice(2);
const libc = openLibc();
const world = {
  now: Date.now,
  monotonicNow: () => performance.now(),
  pause: (milliseconds) => sleep(milliseconds),
  randomBytes,
  files: durableFiles(libc),
};
const store = new ApiKeysFile(dir, {
  libc,
  world,
  ledger: { expected: null, note: () => Promise.resolve() },
});
const apiKeys = new ApiKeys({
  store,
  accounts: libc,
  keyrings: ['default'],
  machine: null,
  uses: { since: null, lastUsed: () => null },
  changed: () => undefined,
  world,
});
const handOver = (secret) => Promise.resolve({ secret: secret.toString('latin1') });

/** One more in the note of a key that all processes change: what was read has to be the last that was written. */
function countUp() {
  return store.change(
    ({ entries }) => ({
      document: {
        entries: entries.map((entry) =>
          entry.id === 'shared'
            ? entryOf({ ...entry.written, note: String(Number(entry.written.note) + 1) })
            : entry,
        ),
      },
      result: null,
    }),
    () => undefined,
  );
}

/** Where others held the lock for too long it is tried again, as the message says. */
async function insist(change) {
  for (;;) {
    try {
      return await change();
    } catch (failure) {
      if (failure.kind !== 'conflict') throw failure;
    }
  }
}

// Of twenty changes one makes a key that stays, two make and revoke one, and seventeen count up.
for (let change = 1; change <= Number(changes); change++) {
  const id = `${name}-${change}`;
  switch (change % 20) {
    case 0:
      await insist(() => apiKeys.create({ id, scope: 'app' }, handOver));
      break;
    case 1:
      await insist(() => apiKeys.create({ id: `${name}-gone`, scope: 'app' }, handOver));
      break;
    case 2:
      await insist(() => apiKeys.revoke(`${name}-gone`));
      break;
    default:
      await insist(countUp);
  }
}
