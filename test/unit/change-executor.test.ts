import { expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';

class WatchedVault extends MemoryVault {
  readonly destroyed: { objectId: string; publicKey: Uint8Array | null }[] = [];

  override destroy(objectId: string, publicKey: Uint8Array | null = null): Promise<void> {
    this.destroyed.push({ objectId, publicKey });
    return super.destroy(objectId);
  }
}

async function open(vault: WatchedVault, store: MemoryStore) {
  const world = worldWith(new Clock());
  return openKeyring({ name: 'default', vault, store, world, rotation: null });
}

test('a key that stands under the reserved id already is not destroyed, and nothing stays announced', async () => {
  const vault = new WatchedVault();
  const store = new MemoryStore();
  const keyring = await open(vault, store);
  vault.fails = 'generate';
  vault.failure = new AgentError('already_exists', 'the token has a key 1234 already');
  await expect(keyring.rotate(60)).rejects.toMatchObject({ kind: 'already_exists' });
  expect(vault.destroyed).toEqual([]);
  expect(store.current()?.state.pending).toEqual([]);

  vault.failure = new AgentError('backend_unavailable', 'it is away');
  await expect(keyring.rotate(60)).rejects.toMatchObject({ kind: 'backend_unavailable' });
  expect(vault.destroyed).toMatchObject([{ publicKey: null }]);
  expect(store.current()?.state.pending).toEqual([]);
  await keyring.close();
});

test('while the vault is away nothing is announced, however often it is asked for a key', async () => {
  const vault = new WatchedVault();
  const store = new MemoryStore();
  const keyring = await open(vault, store);
  const before = store.current();
  const outage = new AgentError('backend_unavailable', 'the token is away');
  vault.outage = outage;
  vault.fails = 'sign';
  vault.failure = outage;
  for (const change of [() => keyring.rotate(60), () => keyring.prepare()]) {
    await expect(change()).rejects.toMatchObject({ kind: 'backend_unavailable' });
  }
  expect(store.current()).toBe(before);
  vault.fails = null; // it is back, and only a signature shows it
  await keyring.rotate(60);
  expect(store.current()?.state.pending).toEqual([]);
  await keyring.close();
});

test('a key that goes is destroyed with the public key that its record has', async () => {
  const vault = new WatchedVault();
  const keyring = await open(vault, new MemoryStore());
  const { kid } = await keyring.prepare();
  const [prepared] = (await vault.list()).slice(-1);
  await keyring.revoke(kid);
  expect(vault.destroyed).toEqual([
    { objectId: prepared?.objectId, publicKey: prepared?.publicKey },
  ]);
  await keyring.close();
});

test('an object id that the record of a revoked key still has is not taken for a new key', async () => {
  const vault = new WatchedVault();
  const keyring = await open(vault, new MemoryStore());
  const { kid } = await keyring.prepare();
  const [prepared] = (await vault.list()).slice(-1);
  await keyring.revoke(kid);
  const used = prepared?.objectId ?? '';
  const usual = vault.reserve;
  const drawn = [used, used];
  Object.assign(vault, { reserve: () => drawn.shift() ?? usual() });
  await keyring.prepare();
  expect(drawn).toEqual([]);
  const ids = (await vault.list()).map(({ objectId }) => objectId);
  expect(ids).not.toContain(used);
  await keyring.close();
});
