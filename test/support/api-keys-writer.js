// A process that changes the API keys of a state dir: `DIR NAME CHANGES`. It runs what was built: fifty that compile
// themselves would take longer than what they do.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const built = (path) => import(new URL(`../../dist/${path}`, import.meta.url));
const { entryOf } = await built('access/api-keys-format.js');
const { ApiKeys } = await built('access/api-keys.js');
const { openLibc } = await built('native/libc.js');
const { ApiKeysFile } = await built('access/api-keys-file.js');
const { durableFiles } = await built('files/durable-files.js');

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
