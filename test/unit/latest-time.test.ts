import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { withLatestTime } from '../../src/keyring/latest-time.ts';
import { emptyState } from '../../src/vault/key-records.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import { capturedLog } from '../support/captured-log.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';

const message = Buffer.from('a message');
const hour = 3600;
let clock: Clock;
beforeEach(() => {
  clock = new Clock();
});
const now = (): string => new Date(clock.now()).toISOString();

test('the latest time of a state never goes back, to the nanosecond', () => {
  const at = (latestTime: string | null, ms: number) =>
    withLatestTime({ ...emptyState, latestTime }, ms).latestTime;
  expect(at(null, 5)).toBe('1970-01-01T00:00:00.005Z');
  expect(at('1970-01-01T00:00:00.004999999Z', 5)).toBe('1970-01-01T00:00:00.005Z');
  expect(at('1970-01-01T00:00:00.005000001Z', 5)).toBe('1970-01-01T00:00:00.005000001Z');
});

describe('a keyring in a token', () => {
  let vault: MemoryVault;
  let store: MemoryStore;
  let lines: Record<string, unknown>[];
  beforeEach(() => {
    [vault, store] = [new MemoryVault(), new MemoryStore()];
  });
  async function open(): Promise<Keyring> {
    const captured = capturedLog();
    lines = captured.lines;
    const world = { ...worldWith(clock), log: captured.log };
    return openKeyring({ name: 'prod', vault, store, world, rotation: null });
  }

  test('every save has it', async () => {
    const keyring = await open();
    expect(store.state.latestTime).toBe(now());
    for (const change of [() => keyring.rotate(60), () => keyring.prepare()]) {
      clock.advance(1);
      await change();
      expect(store.state.latestTime).toBe(now());
    }
  });

  test('a clock set back revives no key and extends no grace: while it runs, and after a start', async () => {
    const keyring = await open();
    const old = await keyring.sign(message);
    await keyring.rotate(hour);
    clock.set(-30 * 60);
    expect((await keyring.verify(message, old.signature)).valid).toBe(true);
    clock.advance(hour);
    expect((await keyring.verify(message, old.signature)).valid).toBe(false);
    await keyring.upkeep(); // the end of the grace is written down
    expect(keyring.keyCounts()).toMatchObject({ grace: 0, retired: 1 });
    clock.set(-24 * hour);
    // No close: it was killed.
    const again = await open();
    expect(await again.publicKeyB64(old.kid)).toBeNull();
    expect(await again.pruneExpiredGrace()).toBe(1);
  });

  test('is kept every hour while a key is in grace or prepared, and at the end', async () => {
    const keyring = await open();
    const { saves } = store;
    clock.advance(5 * hour);
    await keyring.upkeep();
    expect(store.saves).toBe(saves); // nothing depends on it
    await keyring.rotate(24 * hour);
    const rotated = store.saves;
    clock.advance(hour - 1);
    await keyring.upkeep();
    expect(store.saves).toBe(rotated);
    clock.advance(1);
    await keyring.upkeep();
    await keyring.upkeep();
    expect(store.saves).toBe(rotated + 1);
    expect(store.state.latestTime).toBe(now());
    clock.advance(60);
    await keyring.close();
    expect(store.state.latestTime).toBe(now());
  });

  test('that cannot be kept is told of, and ends nothing; somebody faster is no failure', async () => {
    const keyring = await open();
    await keyring.rotate(24 * hour);
    clock.advance(hour);
    const { state } = store;
    store.beforeSave = () => {
      store.beforeSave = null;
      store.put({ ...state, prepared: null });
    };
    await keyring.upkeep();
    expect(store.state.latestTime).toBe(now());
    clock.advance(hour);
    store.failure = new AgentError('backend_unavailable', 'the disk is full');
    await keyring.upkeep();
    await keyring.upkeep();
    await keyring.close();
    const told = lines.filter(({ msg }) => String(msg).startsWith('the latest time could not'));
    expect(told).toHaveLength(2); // not again within a minute, and once at the end
  });

  test('far ahead of the clock is told of at the start, once, with the repair', async () => {
    await (await open()).close();
    clock.set(-50);
    await (await open()).sign(message);
    expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('reset-clock');
    clock.set(-30 * 24 * hour);
    const keyring = await open();
    await keyring.sign(message);
    const warnings = lines.filter(({ level }) => level === 40);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ clock: now(), latest_time: store.state.latestTime });
    expect(String(warnings[0]?.['msg'])).toContain(
      'agentctl reconcile --keyring prod --reset-clock --apply',
    );
  });
});

describe('a keyring in a keystore file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'latest-time-'));
    path = join(folder, 'keystore.json');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  async function open(): Promise<Keyring> {
    const world = worldWith(clock);
    const keystore = new FileKeystore(path, world);
    const parts = { name: 'default', vault: keystore, store: keystore, world, rotation: null };
    return openKeyring(parts);
  }
  const text = (): string => readFileSync(path, 'utf8');
  const members = (): Record<string, unknown> => JSON.parse(text()) as Record<string, unknown>;

  /** As a program that knows version 1 alone writes the file. */
  function withoutOurs(): Record<string, unknown> {
    const ours = ['activated', 'latest_time', 'prepared', 'revoked'];
    const document = Object.entries(members()).filter(([member]) => !ours.includes(member));
    writeFileSync(path, JSON.stringify(Object.fromEntries(document)));
    return Object.fromEntries(document);
  }

  test('is written for the time alone only when a grace has ended', async () => {
    const keyring = await open();
    const old = await keyring.sign(message);
    await keyring.rotate(3 * hour);
    await keyring.prepare();
    const rotated = text();
    clock.advance(2 * hour);
    await keyring.upkeep();
    expect(text()).toBe(rotated);
    clock.advance(hour);
    await keyring.upkeep();
    expect(members()['latest_time']).toBe(now());
    const ended = text();
    clock.advance(10 * hour);
    await keyring.upkeep();
    await keyring.close();
    expect(text()).toBe(ended);
    clock.set(-12 * hour);
    expect(await (await open()).publicKeyB64(old.kid)).toBeNull();
  });

  test('of other programs is not touched, whatever has ended before it was opened', async () => {
    const keyring = await open();
    await keyring.rotate(10);
    await keyring.close();
    withoutOurs();
    const before = text();
    clock.advance(hour);
    const again = await open();
    await again.upkeep();
    await again.sign(message);
    await again.close();
    expect(text()).toBe(before);
  });

  test('that has no time yet gets one when a grace ends under the eyes of the agent', async () => {
    const keyring = await open();
    await keyring.rotate(2 * hour);
    await keyring.close();
    const foreign = withoutOurs();
    const again = await open();
    clock.advance(2 * hour);
    await again.close();
    expect(members()).toMatchObject({ ...foreign, latest_time: now() });
  });
});
