import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeSeal } from '../../src/vault/pkcs11/token/seal-form.ts';
import type { SealStore, Vault } from '../../src/vault/vault.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { TokenKeyring } from '../support/token-keyring.ts';

let token: SoftHsmToken;
let made = 0;
let subject: TokenKeyring;
let vault: Vault;
let seals: SealStore;

beforeAll(async () => {
  token = await makeToken();
});
afterAll(async () => {
  await token.remove();
});
beforeEach(async () => {
  made += 1;
  subject = new TokenKeyring(token, `seal-${made}`);
  vault = await subject.vault();
  if (vault.sealStore === null) throw new Error('a token has one');
  seals = vault.sealStore;
});
afterEach(async () => {
  await vault.close();
  await subject.remove();
});

const key = Buffer.alloc(32, 7);

test('there is none before the first write; then the last one, in one private object', async () => {
  expect(await seals.read()).toBeNull();
  for (const counter of [0, 1, 2, 40]) {
    await seals.write({ key, counter });
    const seal = await seals.read();
    expect(seal?.counter).toBe(counter);
    expect(Buffer.from(seal?.key ?? [])).toEqual(key);
  }
  expect(subject.countDataObjects()).toBe(1);
  expect(subject.pkcs11Tool('--list-objects', '--type', 'data')).toContain('private');
  expect(await vault.list()).toEqual([]); // it is no key
});

test('the same counter can be written again; a lower one is refused, and nothing is lost', async () => {
  await seals.write({ key, counter: 5 });
  await seals.write({ key, counter: 5 });
  await expect(seals.write({ key, counter: 4 })).rejects.toMatchObject({ kind: 'conflict' });
  expect((await seals.read())?.counter).toBe(5);
  expect(subject.countDataObjects()).toBe(1);
});

test('another keyring on the token has its own', async () => {
  const other = new TokenKeyring(token, `seal-${made}-other`);
  const otherVault = await other.vault();
  await seals.write({ key, counter: 3 });
  expect(await otherVault.sealStore?.read()).toBeNull();
  await otherVault.close();
  await other.remove();
});

test('data objects of others under the same label are neither believed nor touched', async () => {
  subject.writeDataObject(Buffer.from('whatever'), 'another program');
  expect(await seals.read()).toBeNull();
  await seals.write({ key, counter: 1 });
  await seals.write({ key, counter: 2 });
  expect(subject.countDataObjects()).toBe(2);
  expect((await seals.read())?.counter).toBe(2);
});

test('a seal that somebody put there without the PIN is not believed', async () => {
  await seals.write({ key, counter: 1 });
  const planted = encodeSeal({ key: Buffer.alloc(32, 1), counter: 1000 });
  subject.writeDataObject(planted, 'signing-agent seal', { isPrivate: false });
  const seal = await seals.read();
  expect(seal?.counter).toBe(1);
  expect(Buffer.from(seal?.key ?? [])).toEqual(key);
});

test('of several, as a kill leaves them, the highest counts, and the next write clears up', async () => {
  for (const counter of [7, 9, 8]) {
    subject.writeDataObject(encodeSeal({ key, counter }), 'signing-agent seal');
  }
  expect(subject.countDataObjects()).toBe(3);
  expect((await seals.read())?.counter).toBe(9);
  await seals.write({ key, counter: 10 });
  expect(subject.countDataObjects()).toBe(1);
});
