import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import type { RotationPolicy } from '../../src/keyring/rotation-schedule.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import type { World } from '../../src/base/world.ts';
import { capturedLog } from '../support/captured-log.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';

const message = Buffer.from('a message');
const hour = 3600;
const policy: RotationPolicy = {
  everySeconds: 24 * hour,
  prepublishSeconds: 2 * hour,
  graceSeconds: 12 * hour,
};
/** Longer than any jitter of that policy, seconds. */
const jitter = 61;

let folder: string;
let path: string;
let clock: Clock;
let opened: Keyring[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rotation-'));
  path = join(folder, 'default.json');
  clock = new Clock();
  opened = [];
});
afterEach(async () => {
  for (const keyring of opened) await keyring.close();
  rmSync(folder, { recursive: true });
});

async function openFile(
  rotation: RotationPolicy | null = policy,
  more: Partial<World> = {},
): Promise<Keyring> {
  const world = { ...worldWith(clock), ...more };
  const keystore = new FileKeystore(path, world);
  const parts = { name: 'default', vault: keystore, store: keystore, world, rotation };
  const keyring = await openKeyring(parts);
  opened.push(keyring);
  return keyring;
}

async function openMemory(
  vault: MemoryVault,
  store: MemoryStore,
  more: Partial<World> = {},
): Promise<Keyring> {
  const world = { ...worldWith(clock), ...more };
  const keyring = await openKeyring({ name: 'default', vault, store, world, rotation: policy });
  opened.push(keyring);
  return keyring;
}

const states = async (keyring: Keyring): Promise<string[]> =>
  (await keyring.listKeys()).map(({ state }) => state);

describe('a keyring with a schedule', () => {
  test('prepares, activates and prunes when it is due, and tells', async () => {
    const steps: string[] = [];
    const keyring = await openFile(policy, { testPoint: (step) => steps.push(step) });
    const first = keyring.activeKid();
    const end = clock.now() + 24 * hour * 1000;
    expect(keyring.nextRotation()).toBe(end);

    clock.advance(22 * hour - 1);
    await keyring.upkeep();
    expect(await states(keyring)).toEqual(['active']);
    clock.advance(1 + jitter);
    await keyring.upkeep();
    expect(await states(keyring)).toEqual(['active', 'prepared']);
    const published = (await keyring.listKeys())[1];
    expect(Date.parse(published?.activates_at ?? '')).toBe(end);
    expect(keyring.nextChange()).toEqual({ what: 'activate', at: new Date(end).toISOString() });

    clock.advance(2 * hour);
    await keyring.upkeep();
    expect(keyring.activeKid()).toBe(published?.kid);
    expect(await states(keyring)).toEqual(['grace', 'active']);
    expect((await keyring.sign(message, first)).kid).toBe(first);

    clock.advance(12 * hour + jitter);
    await keyring.upkeep();
    expect(await states(keyring)).toEqual(['active']);
    expect(steps.filter((step) => step.startsWith('rotation/'))).toEqual([
      'rotation/prepared',
      'rotation/activated',
      'rotation/pruned',
    ]);
  });

  test('makes up a long stop with one rotation', async () => {
    const before = await openFile();
    const { kid } = await before.sign(message);
    await before.close();
    clock.advance(240 * hour);
    const keyring = await openFile();
    for (let look = 0; look < 3; look += 1) await keyring.upkeep();
    expect(await states(keyring)).toEqual(['grace', 'active']);
    expect((await keyring.sign(message, kid)).kid).toBe(kid);
    expect(keyring.nextRotation()).toBe(clock.now() + 24 * hour * 1000);
  });

  test('counts from a rotation by hand, and takes the key that an operator prepared', async () => {
    const keyring = await openFile();
    clock.advance(20 * hour);
    await keyring.rotate(60);
    expect(keyring.nextRotation()).toBe(clock.now() + 24 * hour * 1000);
    const { kid } = await keyring.prepare(3 * hour);
    expect(keyring.nextRotation()).toBe(clock.now() + 3 * hour * 1000);
    clock.advance(3 * hour + jitter);
    await keyring.upkeep();
    expect(keyring.activeKid()).toBe(kid);
  });

  test('does not rotate again where a clock is set forward and back', async () => {
    const keyring = await openFile();
    clock.set(30 * hour);
    await keyring.upkeep();
    const active = keyring.activeKid();
    clock.set(-30 * hour);
    for (let look = 0; look < 20; look += 1) {
      clock.advance(hour);
      await keyring.upkeep();
    }
    expect(keyring.activeKid()).toBe(active);
    expect(await states(keyring)).toEqual(['active']); // the grace has ended by the time that was seen
  });

  test('without a schedule nothing happens, however long', async () => {
    const keyring = await openFile(null);
    await keyring.rotate(60);
    await keyring.prepare(60);
    clock.advance(1000 * hour);
    await keyring.upkeep();
    expect((await states(keyring)).sort()).toEqual(['active', 'prepared', 'retired']);
    expect([keyring.nextRotation(), keyring.nextChange()]).toEqual([null, null]);
  });
});

describe('two agents on one state', () => {
  test('rotate once in a keystore file', async () => {
    const one = await openFile();
    const other = await openFile();
    const first = one.activeKid();
    for (let period = 1; period <= 3; period += 1) {
      const before = one.activeKid();
      clock.advance(24 * hour + jitter);
      await Promise.all([one.upkeep(), other.upkeep(), one.upkeep(), other.upkeep()]);
      expect(one.activeKid()).toBe(other.activeKid());
      const grace = (await one.listKeys()).filter(({ state }) => state === 'grace');
      expect(grace.map(({ kid }) => kid)).toEqual([before]);
      expect(one.nextRotation()).toBe(clock.now() + 24 * hour * 1000);
    }
    expect(one.activeKid()).not.toBe(first);
    const document = JSON.parse(readFileSync(path, 'utf8')) as { keys: unknown[] };
    expect(document.keys).toHaveLength(2);
  });

  test('whoever comes second finds nothing to do, and leaves no key behind', async () => {
    const [vault, store] = [new MemoryVault(), new MemoryStore()];
    const keyring = await openMemory(vault, store);
    const other = await openMemory(vault, store);
    clock.advance(24 * hour + jitter);
    let raced = false;
    store.beforeSave = () => {
      // Right before this one saves its prepared key, the other has rotated.
      if (raced || store.state.pending.length === 0) return;
      raced = true;
      const { state } = store;
      const active = state.active ?? '';
      const next = { ...(state.keys.get(active) ?? never()), kid: 'ffffffff', objectId: 'ff' };
      store.put({
        ...state,
        keys: new Map([...state.keys, ['ffffffff', next]]),
        active: 'ffffffff',
        graceUntil: new Map([[active, '2030-01-01T00:00:00Z']]),
        activated: { kid: 'ffffffff', at: new Date(clock.now()).toISOString() },
      });
    };
    await keyring.upkeep();
    expect(raced).toBe(true);
    expect(other.activeKid()).toBe('ffffffff');
    expect(store.state.keys.size).toBe(2);
    expect(store.state.pending).toEqual([]);
    expect(await vault.list()).toHaveLength(1);
    expect(keyring.rotationFailure).toBeNull();
  });
});

describe('a change that fails', () => {
  const away = new AgentError('backend_unavailable', 'the token was pulled');

  test('is told of, is tried ever less often, and the old key goes on', async () => {
    const [vault, store] = [new MemoryVault(), new MemoryStore()];
    const { log, lines } = capturedLog();
    const keyring = await openMemory(vault, store, { log });
    const first = keyring.activeKid();
    clock.advance(24 * hour + jitter);
    vault.fails = 'generate';
    vault.failure = away;
    vault.calls.generate = 0;
    const triedAt: number[] = [];
    for (let second = 0; second < 1800; second += 1) {
      const before = vault.calls.generate;
      await keyring.upkeep();
      if (vault.calls.generate > before) triedAt.push(second);
      clock.advance(1);
    }
    const waits = triedAt.map((at, index) => at - (triedAt[index - 1] ?? at)).slice(1);
    expect(waits[0]).toBe(1);
    expect(Math.max(...waits)).toBeGreaterThan(220);
    expect(Math.max(...waits)).toBeLessThanOrEqual(300);
    expect(triedAt.length).toBeLessThan(20);
    expect(keyring.rotationFailure).toMatchObject({
      kind: 'backend_unavailable',
      message: 'the next key could not be prepared on schedule: the token was pulled',
    });
    expect(lines.filter(({ level }) => level === 50).length).toBe(triedAt.length);
    expect((await keyring.sign(message)).kid).toBe(first);
    expect(keyring.health.failing).toBe(false);
    expect(store.state.pending).toEqual([]);

    vault.fails = null;
    clock.advance(300);
    await keyring.upkeep();
    expect(keyring.rotationFailure).toBeNull();
    expect(keyring.activeKid()).not.toBe(first);
  });

  test('with records that cannot be written', async () => {
    const [vault, store] = [new MemoryVault(), new MemoryStore()];
    const keyring = await openMemory(vault, store);
    clock.advance(24 * hour + jitter);
    store.failure = new AgentError('backend_unavailable', 'the disk is full');
    await keyring.upkeep();
    expect(keyring.rotationFailure?.message).toContain('the disk is full');
    expect((await keyring.sign(message)).signature).toHaveLength(64);
    expect(await vault.list()).toHaveLength(1);
    store.failure = null;
    clock.advance(2);
    await keyring.upkeep();
    expect(keyring.rotationFailure).toBeNull();
    expect(await states(keyring)).toEqual(['grace', 'active']);
  });

  test('with a vault that is known to be away touches nothing, and goes on by itself', async () => {
    const [vault, store] = [new MemoryVault(), new MemoryStore()];
    const keyring = await openMemory(vault, store);
    clock.advance(24 * hour + jitter);
    vault.outage = new AgentError('locked', 'the keyring needs its PIN');
    vault.fails = 'sign';
    vault.failure = vault.outage;
    const { saves } = store;
    await keyring.upkeep();
    expect([store.saves, vault.calls.generate]).toEqual([saves, 1]);
    expect(keyring.rotationFailure?.kind).toBe('locked');
    vault.fails = null; // its outage is over, and only a signature shows it
    clock.advance(2);
    await keyring.upkeep();
    expect(await states(keyring)).toEqual(['grace', 'active']);
  });

  test('is forgotten where somebody else has made it', async () => {
    const [vault, store] = [new MemoryVault(), new MemoryStore()];
    const keyring = await openMemory(vault, store);
    clock.advance(24 * hour + jitter);
    vault.fails = 'generate';
    vault.failure = away;
    await keyring.upkeep();
    expect(keyring.rotationFailure).not.toBeNull();
    vault.fails = null;
    await keyring.rotate(60);
    await keyring.upkeep();
    expect(keyring.rotationFailure).toBeNull();
  });

  test('records that cannot be read are told of once a try', async () => {
    const { log, lines } = capturedLog();
    const keyring = await openFile(policy, { log });
    await new Promise(setImmediate); // a file is looked at once for all that is handled in one go
    rmSync(path);
    await keyring.upkeep();
    await keyring.upkeep();
    expect(keyring.rotationFailure?.message).toContain('is gone');
    expect(lines.filter(({ level }) => level === 50)).toHaveLength(1);
  });
});

describe('the timer', () => {
  test('looks at least every two seconds, sooner where something is due, and stops with the keyring', async () => {
    let waiting: { wait: number; act: () => void } | null = null;
    const schedule: World['schedule'] = (wait, act) => {
      waiting = { wait, act };
      return () => {
        waiting = null;
      };
    };
    const keyring = await openFile(
      { ...policy, everySeconds: 4, prepublishSeconds: 1 },
      { schedule },
    );
    const wait = () => (waiting as { wait: number } | null)?.wait;
    expect(wait()).toBe(2000);
    clock.advance(2);
    const looked = waiting as { act: () => void } | null;
    looked?.act();
    await keyring.upkeep();
    await new Promise(setImmediate);
    expect(wait()).toBeGreaterThanOrEqual(1000);
    expect(wait()).toBeLessThan(1040);
    await keyring.close();
    expect(waiting).toBeNull();
  });

  test('rotates for real', async () => {
    const real: Partial<World> = {
      now: () => Date.now(),
      monotonicNow: () => performance.now(),
      schedule: (milliseconds, act) => {
        const timer = setTimeout(act, milliseconds);
        return () => {
          clearTimeout(timer);
        };
      },
    };
    const keyring = await openFile(
      { everySeconds: 2, prepublishSeconds: 1, graceSeconds: 60 },
      real,
    );
    const first = keyring.activeKid();
    await expect.poll(() => keyring.activeKid(), { timeout: 240_000 }).not.toBe(first);
    expect((await keyring.sign(message, first)).kid).toBe(first);
  });

  test('a change under way is waited for at the end, and none begins after it', async () => {
    const [vault, store] = [new MemoryVault(), new MemoryStore()];
    const keyring = await openMemory(vault, store);
    clock.advance(24 * hour + jitter);
    const change = keyring.upkeep();
    await keyring.close();
    await change;
    expect(store.state.pending).toEqual([]);
    const { saves } = store;
    await keyring.upkeep();
    expect(store.saves).toBe(saves);
  });
});

test('a keystore file that needs no change is not written', async () => {
  const keyring = await openFile();
  const before = statSync(path, { bigint: true }).mtimeNs;
  for (let look = 0; look < 5; look += 1) {
    clock.advance(4 * hour);
    await keyring.upkeep();
  }
  expect(statSync(path, { bigint: true }).mtimeNs).toBe(before);
});

function never(): never {
  throw new Error('there is an active key');
}
