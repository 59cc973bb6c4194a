import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import type { Seal, SealStore, Vault } from '../../src/vault/vault.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { keepsNoSeal, TokenKeyring, type SealedContent } from '../support/token-keyring.ts';

const message = Buffer.from('a message');
let token: SoftHsmToken;
let made = 0;
let subject: TokenKeyring;

beforeAll(async () => {
  token = await makeToken();
});
afterAll(async () => {
  await token.remove();
});
beforeEach(() => {
  made += 1;
  subject = new TokenKeyring(token, `sealed-${made}`);
});
afterEach(async () => {
  await subject.remove();
});

const text = (): string => readFileSync(subject.sidecarPath, 'utf8');
const sidecar = (): SealedContent => JSON.parse(text()) as SealedContent;
const put = (content: string): void => {
  writeFileSync(subject.sidecarPath, content);
};
const edit = (change: (document: SealedContent) => void): void => {
  const document = sidecar();
  change(document);
  put(JSON.stringify(document));
};
const counterOf = (document = sidecar()): number => document.seal?.counter ?? 0;

/** A vault whose seal is kept elsewhere, or not at all. */
const withSeals = (vault: Vault, sealStore: SealStore | null): Vault =>
  Object.assign(vault, { sealStore });

async function sealInToken(): Promise<Seal | null> {
  const vault = await subject.vault();
  try {
    return (await vault.sealStore?.read()) ?? null;
  } finally {
    await vault.close();
  }
}
async function changeSeal(change: (seal: Seal) => Seal): Promise<void> {
  const seal = await sealInToken();
  if (seal === null) throw new Error('the token has no seal');
  const vault = await subject.vault();
  await vault.sealStore?.write(change(seal));
  await vault.close();
}
const removeSeal = (): void => {
  subject.pkcs11Tool('--delete-object', '--type', 'data', '--label', subject.label);
};

async function refused(...texts: string[]): Promise<void> {
  const before = text();
  const failure: unknown = await subject.open().catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({ kind: 'backend_unavailable' });
  const accept = `agentctl reconcile --keyring ${subject.name} --accept-records --apply`;
  for (const part of [subject.sidecarPath, 'put the newest file back', accept, ...texts]) {
    expect(String(failure)).toContain(part);
  }
  expect(text()).toBe(before);
}

describe('a keyring whose token keeps a seal', () => {
  test('is sealed from its first key on, with one counter on both sides', async () => {
    const keyring = await subject.open();
    expect(keyring.rollbackProtection).toBe('token');
    const first = counterOf();
    expect(first).toBeGreaterThan(0);
    await keyring.rotate(60);
    expect(counterOf()).toBeGreaterThan(first);
    await subject.close();
    expect((await sealInToken())?.counter).toBe(counterOf());
    await (await subject.open()).sign(message);
  });

  test('refuses an older copy, and takes the newest one back', async () => {
    await subject.open();
    const older = text();
    const counter = counterOf();
    await (await subject.reopen()).rotate(60);
    await subject.close();
    const newest = text();
    put(older);
    await refused(
      'an older copy',
      `its counter is ${counter}, the token says ${counterOf(JSON.parse(newest) as SealedContent)}`,
    );
    put(newest);
    await (await subject.open()).sign(message);
  });

  test.each<[string, (document: SealedContent) => void]>([
    ['a record that was changed', (document) => (document['latest_time'] = '2020-01-01T00:00:00Z')],
    [
      'a grace that was made longer',
      ({ retired_grace_until: grace }) => (grace['00000000'] = '2099-01-01T00:00:00Z'),
    ],
    ['a counter that was raised', ({ seal }) => Object.assign(seal ?? {}, { counter: 1_000_000 })],
    ['a MAC that is none', ({ seal }) => Object.assign(seal ?? {}, { mac_b64: '' })],
  ])('refuses %s', async (_, change) => {
    await (await subject.open()).rotate(60);
    await subject.close();
    edit(change);
    await refused('was edited by hand', 'its seal does not verify');
  });

  test('refuses records whose seal was taken off', async () => {
    await subject.open();
    await subject.close();
    edit((document) => delete document.seal);
    await refused('has no seal', 'edited by hand');
  });

  test('refuses sealed records where the token has no seal, or cannot keep one', async () => {
    await subject.open();
    await subject.close();
    removeSeal();
    await refused('the token has none for it');
    for (const seals of [keepsNoSeal, null]) {
      const vault = withSeals(await subject.vault(), seals);
      await expect(subject.open(vault)).rejects.toThrow(/the token has none for it/);
    }
  });

  test('white space and the order of members are no edits', async () => {
    await subject.open();
    await subject.close();
    put(JSON.stringify(Object.fromEntries(Object.entries(sidecar()).reverse())));
    await (await subject.open()).sign(message);
  });

  test('looks at records that change while it is open', async () => {
    const keyring = await subject.open();
    const older = text();
    const { previous_kid } = await keyring.rotate(60);
    const newest = text();
    const refusedNow = { kind: 'backend_unavailable' };
    put(older);
    await expect(keyring.sign(message)).rejects.toThrow(/older copy/);
    await expect(keyring.rotate(60)).rejects.toMatchObject(refusedNow);
    put(newest);
    edit((document) => Object.assign(document, { active: previous_kid, retired_grace_until: {} }));
    await expect(keyring.sign(message)).rejects.toThrow(/edited by hand/);
    edit((document) => delete document.seal);
    await expect(keyring.sign(message)).rejects.toThrow(/has no seal/);
    put(newest);
    expect((await keyring.sign(message)).kid).not.toBe(previous_kid);
    await keyring.rotate(60);
  });
});

describe('a kill between the two writes', () => {
  test('of a save: the sidecar is ahead, and the token is brought up', async () => {
    await subject.open();
    await subject.close();
    const counter = counterOf();
    await subject.rewriteSealed(counter + 1, () => undefined);
    expect((await sealInToken())?.counter).toBe(counter);
    await (await subject.open()).sign(message);
    await subject.close();
    expect((await sealInToken())?.counter).toBe(counterOf());
    expect(counterOf()).toBeGreaterThan(counter);
  });

  test('in the other order, which no save has, is an older copy', async () => {
    await subject.open();
    await subject.close();
    await changeSeal(({ key, counter }) => ({ key, counter: counter + 1 }));
    await refused('an older copy');
  });

  test('of the first contact: the token has a seal with counter 0, the records have none', async () => {
    await unsealed();
    await subject.open();
    await subject.close();
    const [key, before] = [Buffer.alloc(32, 7), sidecar()];
    edit((document) => delete document.seal);
    removeSeal();
    const vault = await subject.vault();
    await vault.sealStore?.write({ key, counter: 0 });
    await vault.close();
    await (await subject.open()).sign(message);
    await subject.close();
    expect(await sealInToken()).toMatchObject({ counter: counterOf() });
    expect(counterOf()).toBeGreaterThan(0);
    expect(sidecar().keys).toEqual(before.keys);
  });

  test('of replacing the object in the token: the higher counter counts, a half one does not', async () => {
    await subject.open();
    await subject.close();
    const { counter } = (await sealInToken()) ?? { counter: 0 };
    subject.writeDataObject(Buffer.from('sa-seal1 cut off'), 'signing-agent seal');
    expect((await sealInToken())?.counter).toBe(counter);
    await (await subject.open()).rotate(60);
    await subject.close();
    expect(subject.countDataObjects()).toBe(1); // the half one went with the next write
  });
});

/** As an older version of this program leaves a keyring, or a token that could not keep a seal. */
async function unsealed(): Promise<void> {
  const keyring = await subject.open(withSeals(await subject.vault(), keepsNoSeal));
  expect(keyring.rollbackProtection).toBe('none');
  await keyring.sign(message);
  await subject.close();
  expect(sidecar().seal).toBeUndefined();
}

describe('records without a seal', () => {
  test('are sealed by the first start that can', async () => {
    await unsealed();
    const { active } = sidecar();
    const keyring = await subject.open();
    expect(await keyring.activeKeyId()).toBe(active);
    expect(counterOf()).toBeGreaterThan(0);
    await subject.close();
    expect((await sealInToken())?.counter).toBe(counterOf());
  });

  test('are not tied to a token that is not theirs', async () => {
    await unsealed();
    edit(({ keys }) => Object.assign(keys[0] ?? {}, { object_id: 'ffff' }));
    await expect(subject.open()).rejects.toThrow(/do not fit/);
    expect(sidecar().seal).toBeUndefined();
    expect(await sealInToken()).toBeNull();
  });

  test('go on without one where the token cannot keep it, and that is logged', async () => {
    await unsealed();
    const keyring = await subject.open(withSeals(await subject.vault(), keepsNoSeal));
    expect(JSON.stringify(subject.logged)).toContain('this token keeps no seal');
    await keyring.rotate(60);
    expect(sidecar().seal).toBeUndefined();
  });
});

test('a lost sidecar and a token without keys: a new beginning, above the old counter', async () => {
  await subject.open();
  await subject.close();
  const counter = counterOf();
  const vault = await subject.vault();
  for (const { objectId } of await vault.list()) await vault.destroy(objectId);
  await vault.close();
  rmSync(subject.sidecarPath);
  await subject.open();
  expect(counterOf()).toBeGreaterThan(counter);
});

test("where the token's counter cannot be raised the change stands, and the next save raises it", async () => {
  const vault = await subject.vault();
  const { sealStore } = vault;
  if (sealStore === null) throw new Error('a token has one');
  let away = false;
  const keyring = await subject.open(
    withSeals(vault, {
      read: () => sealStore.read(),
      write: (seal) =>
        away
          ? Promise.reject(new AgentError('backend_unavailable', 'it is away'))
          : sealStore.write(seal),
    }),
  );
  const counter = counterOf();
  away = true;
  const { new_active_kid } = await keyring.rotate(60);
  expect((await keyring.sign(message)).kid).toBe(new_active_kid);
  expect((await sealStore.read())?.counter).toBe(counter);
  expect(JSON.stringify(subject.logged)).toContain('could not be raised');
  away = false;
  await keyring.rotate(60);
  expect((await sealStore.read())?.counter).toBe(counterOf());
});
