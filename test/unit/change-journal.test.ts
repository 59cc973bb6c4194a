import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import type { ChangeJournal } from '../../src/keyring/change-journal.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';

const hour = 3600;
const policy = { everySeconds: 24 * hour, prepublishSeconds: 2 * hour, graceSeconds: 12 * hour };
/** Longer than any jitter of that policy, seconds. */
const jitter = 61;
const unavailable = new AgentError('audit_unavailable', 'the disk is full');

let folder: string;
let clock: Clock;
let opened: Keyring[];
/** What was written, in order: `method begun`, then how it ended. */
let entries: string[];
let refuses: boolean;
const journal: ChangeJournal = {
  begin({ keyring, method }) {
    if (refuses) return Promise.reject(unavailable);
    entries.push(`${keyring} ${method} begun`);
    return Promise.resolve({
      done: (kid, reason) => {
        entries.push(`${keyring} ${method} done ${String(kid)} ${String(reason)}`);
        return Promise.resolve();
      },
      failed: (failure) => {
        const kind = failure instanceof AgentError ? failure.kind : 'internal';
        entries.push(`${keyring} ${method} failed ${kind}`);
        return Promise.resolve();
      },
    });
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
  clock = new Clock();
  opened = [];
  entries = [];
  refuses = false;
});
afterEach(async () => {
  for (const keyring of opened) await keyring.close();
  rmSync(folder, { recursive: true });
});

async function openFile(): Promise<Keyring> {
  const world = worldWith(clock);
  const store = new FileKeystore(join(folder, 'default.json'), world);
  const parts = { name: 'default', vault: store, store, world, rotation: policy, journal };
  const keyring = await openKeyring(parts);
  opened.push(keyring);
  return keyring;
}

describe('what a keyring changes by itself', () => {
  test('is recorded before and after, with the key', async () => {
    const keyring = await openFile();
    const first = keyring.activeKid();
    clock.advance(22 * hour + jitter);
    await keyring.upkeep();
    clock.advance(2 * hour);
    await keyring.upkeep();
    const next = keyring.activeKid();
    clock.advance(12 * hour + jitter);
    await keyring.upkeep();
    expect(entries).toEqual([
      'default first_key begun',
      `default first_key done ${first} null`,
      'default prepare begun',
      `default prepare done ${next} null`,
      'default rotate begun',
      `default rotate done ${next} null`,
      'default prune_expired_grace begun',
      `default prune_expired_grace done null pruned: ${first}`,
    ]);
  });

  test('is not made where it cannot be recorded, and made later', async () => {
    const keyring = await openFile();
    const first = keyring.activeKid();
    entries = [];
    refuses = true;
    clock.advance(25 * hour);
    await keyring.upkeep();
    expect(keyring.activeKid()).toBe(first);
    expect(await keyring.listKeys()).toHaveLength(1);
    expect(keyring.rotationFailure).toMatchObject({ kind: 'audit_unavailable' });
    refuses = false;
    clock.advance(2);
    await keyring.upkeep();
    expect(keyring.activeKid()).not.toBe(first);
    expect(entries.filter((entry) => entry.endsWith('begun'))).toEqual([
      'default prepare begun',
      'default rotate begun',
    ]);
    expect(keyring.rotationFailure).toBeNull();
  });

  test('and fails is recorded as that', async () => {
    const vault = new MemoryVault();
    const world = worldWith(clock);
    const store = new MemoryStore();
    const parts = { name: 'default', vault, store, world, rotation: policy, journal };
    const keyring = await openKeyring(parts);
    opened.push(keyring);
    entries = [];
    vault.failure = new AgentError('backend_unavailable', 'the token is away');
    vault.fails = 'generate';
    clock.advance(22 * hour + jitter);
    await keyring.upkeep();
    expect(entries).toEqual([
      'default prepare begun',
      'default prepare failed backend_unavailable',
    ]);
    vault.fails = null;
  });

  test('without a first key that can be recorded there is none', async () => {
    refuses = true;
    await expect(openFile()).rejects.toBe(unavailable);
    refuses = false;
    await openFile();
    expect(entries[0]).toBe('default first_key begun');
  });
});
