import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kidOf } from '../../src/algorithms/kid.ts';
import { AgentError } from '../../src/base/errors.ts';
import type { RecordsOwner, RecordStore } from '../../src/keyring/record-store.ts';
import { emptyState, type KeyringState } from '../../src/vault/key-records.ts';
import type { Seal, SealStore } from '../../src/vault/vault.ts';
import { Clock, worldWith } from '../support/world.ts';

/** The place of one keyring's records, empty at first, as other programs get at it. */
export interface RecordStoreRig {
  /** As a process that has just started opens it. */
  open(owner: RecordsOwner): RecordStore;
  /** What is there, to be put back later; null where nothing is. */
  copy(): Promise<unknown>;
  putBack(copy: unknown): Promise<void>;
  /** Makes what is there unreadable. */
  damage(): Promise<void>;
  /** Changes a time in the records without sealing them anew. */
  alter(): Promise<void>;
  remove(): Promise<void>;
}

const owner = { keyring: 'prod', algorithm: 'ed25519' } as const;

/** A device's seal, in memory. */
class MemorySeals implements SealStore {
  seal: Seal | null = null;
  failure: Error | null = null;

  read(): Promise<Seal | null> {
    return Promise.resolve(this.seal);
  }

  write(seal: Seal): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    this.seal = seal;
    return Promise.resolve();
  }
}

/** Records of so many keys, the first of them active. */
function records(count: number): KeyringState {
  const keys = Array.from({ length: count }, (_, at) => {
    const publicKey = Buffer.alloc(32, at + 1);
    const objectId = (at + 1).toString(16).padStart(32, '0');
    return { kid: kidOf(publicKey), publicKey, createdAt: '2026-05-14T17:55:00.000Z', objectId };
  });
  return {
    ...emptyState,
    keys: new Map(keys.map((key) => [key.kid, key])),
    active: keys[0]?.kid ?? null,
    latestTime: '2026-05-14T17:55:00.000Z',
  };
}

/** What every store of key records has to do, see RecordStore. */
export function recordStoreSuite(name: string, makeRig: () => Promise<RecordStoreRig>): void {
  describe(`the store of key records: ${name}`, () => {
    const world = worldWith(new Clock());
    let rig: RecordStoreRig;
    let seals: MemorySeals;
    beforeEach(async () => {
      rig = await makeRig();
      seals = new MemorySeals();
    });
    afterEach(async () => {
      await rig.remove();
    });

    /** Opened and sealed, as a keyring does it. */
    async function opened(sealStore: SealStore | null = seals): Promise<RecordStore> {
      const store = rig.open(owner);
      await store.open(sealStore, world);
      await store.seal(world);
      return store;
    }

    test('has nothing at first, and then what was saved, for whoever opens it later too', async () => {
      const store = await opened();
      expect(store.current()).toBeNull();
      const saved = await store.save(records(2), null);
      expect(store.current()?.state).toEqual(saved.state);
      expect((await opened()).current()?.state).toEqual(records(2));
    });

    test('saves only over what was read, and notices what others saved', async () => {
      const [one, other] = [await opened(null), await opened(null)];
      const first = await one.save(records(1), null);
      await expect(other.save(records(2), null)).rejects.toMatchObject({ kind: 'conflict' });
      expect(other.current()?.state).toEqual(records(1));
      await other.save(records(2), first.version);
      expect(one.current()?.state).toEqual(records(2));
      await expect(one.save(records(3), first.version)).rejects.toMatchObject({ kind: 'conflict' });
      expect(one.current()?.state).toEqual(records(2));
    });

    test('belongs to one keyring and one algorithm', async () => {
      await (await opened(null)).save(records(1), null);
      for (const another of [
        { ...owner, keyring: 'other' },
        { ...owner, algorithm: 'es256' as const },
      ]) {
        const store = rig.open(another);
        await expect(store.open(null, world)).rejects.toMatchObject({
          kind: 'backend_unavailable',
        });
        expect((await store.look()).records.found).toBe('broken');
      }
    });

    test('raises the seal with each save, and proves the newest records by it', async () => {
      const store = await opened();
      expect(store.rollbackProtection).toBe('token');
      const first = await store.save(records(1), null);
      await store.save(records(2), first.version);
      expect(seals.seal?.counter).toBe(2);
      const again = rig.open(owner);
      expect(await again.open(seals, world)).toEqual({ provedNewest: true });
      expect((await again.look()).counter).toBe(2);
    });

    test('without a seal of the device nothing notices an older copy, and it says so', async () => {
      const keepsNone = new MemorySeals();
      keepsNone.failure = new AgentError('not_supported', 'it keeps none');
      const store = await opened(keepsNone);
      await store.save(records(1), null);
      expect(store.rollbackProtection).toBe('none');
      expect((await store.look()).counter).toBeNull();
    });

    test('a save whose seal could not be raised stands, and is the newest at the next start', async () => {
      const store = await opened();
      const first = await store.save(records(1), null);
      seals.failure = new Error('the device is away');
      await store.save(records(2), first.version);
      expect(seals.seal?.counter).toBe(1);
      seals.failure = null;
      const again = await opened();
      expect(again.current()?.state).toEqual(records(2));
      expect(seals.seal?.counter).toBe(2);
    });

    test.each([
      ['older', (older: unknown) => rig.putBack(older)],
      ['altered', () => rig.alter()],
    ])(
      'refuses records that are %s, says what accepts them, and takes them so',
      async (fault, spoil) => {
        const store = await opened();
        const first = await store.save(records(1), null);
        const older = await rig.copy();
        await store.save(records(2), first.version);
        await spoil(older);
        expect(() => store.current()).toThrow(/--accept-records/);
        const again = rig.open(owner);
        const refused: unknown = await again.open(seals, world).catch((thrown: unknown) => thrown);
        expect(refused).toMatchObject({ kind: 'backend_unavailable' });
        expect(String(refused)).toContain('agentctl reconcile --keyring prod --accept-records');
        const found = await again.examine(seals);
        expect(found).toMatchObject({ records: { found: 'readable' }, fault: { fault } });
        await found.replace(records(3), world);
        expect((await opened()).current()?.state).toEqual(records(3));
        expect(seals.seal?.counter).toBeGreaterThan(2);
      },
    );

    test('what cannot be read is refused with its repair, which keeps it as a copy', async () => {
      await (await opened()).save(records(1), null);
      await rig.damage();
      const store = rig.open(owner);
      await expect(store.open(seals, world)).rejects.toThrow(/agentctl reconcile --keyring prod/);
      expect((await store.look()).records.found).toBe('broken');
      const found = await store.examine(seals);
      expect(await found.replace(records(2), world)).toEqual(expect.any(String));
      expect((await opened()).current()?.state).toEqual(records(2));
    });

    test('the repair replaces nothing that it has not examined', async () => {
      await (await opened(null)).save(records(1), null);
      const found = await rig.open(owner).examine(null);
      const other = await opened(null);
      await other.save(records(2), other.current()?.version ?? null);
      await expect(found.replace(records(3), world)).rejects.toMatchObject({ kind: 'conflict' });
      expect(other.current()?.state).toEqual(records(2));
    });

    test('records that are missing are repaired without a copy', async () => {
      const found = await rig.open(owner).examine(seals);
      expect(found.records).toEqual({ found: 'missing' });
      expect(await found.replace(records(1), world)).toBeNull();
      expect((await opened()).current()?.state).toEqual(records(1));
    });
  });
}
