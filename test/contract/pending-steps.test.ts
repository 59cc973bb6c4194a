import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { TokenKeyring, type SealedContent } from '../support/token-keyring.ts';

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
afterEach(async () => {
  await subject.remove();
});
const begin = (sealed: boolean): void => {
  made += 1;
  subject = new TokenKeyring(token, `pending-${made}`, { sealed });
};

const sidecar = (): SealedContent =>
  JSON.parse(readFileSync(subject.sidecarPath, 'utf8')) as SealedContent;
/** With the seal that belongs to it, where the token keeps one. */
async function rewrite(change: (document: SealedContent) => void): Promise<void> {
  const document = sidecar();
  if (document.seal !== undefined) {
    await subject.rewriteSealed(document.seal.counter + 1, change);
    return;
  }
  change(document);
  writeFileSync(subject.sidecarPath, JSON.stringify(document));
}
const announce = (document: SealedContent, objectId: string): void => {
  document.pending = [{ step: 'generate', object_id: objectId, since: '2026-05-14T17:55:00.000Z' }];
};
async function withVault<T>(act: (vault: Vault) => Promise<T>): Promise<T> {
  const vault = await subject.vault();
  try {
    return await act(vault);
  } finally {
    await vault.close();
  }
}
const objectIds = (): Promise<string[]> =>
  withVault(async (vault) => (await vault.list()).map(({ objectId }) => objectId).sort());
const makeKey = (): Promise<string> =>
  withVault(async (vault) => {
    const objectId = vault.reserve?.() ?? '';
    await vault.generate(objectId);
    return objectId;
  });
/** Looks like a whole key of ours, and is refused when it is to sign: its attributes are not ours. */
const makeUseless = (objectId: string): string => {
  subject.pkcs11Tool(
    ...['--keypairgen', '--key-type', 'EC:edwards25519', '--extractable'],
    ...['--label', subject.label, '--id', objectId],
  );
  return objectId;
};
/** Before the first key, with one announced. */
async function beforeFirstKey(objectId: string): Promise<void> {
  await subject.open();
  await subject.close();
  const [first] = sidecar().keys;
  await withVault((vault) => vault.destroy(first?.object_id ?? ''));
  await rewrite((document) => {
    Object.assign(document, { keys: [], active: null });
    delete document['activated'];
    announce(document, objectId);
  });
}

describe('a whole key that was announced and never acknowledged', () => {
  test('is destroyed where the records are proved to be the newest, and nothing else is', async () => {
    begin(true);
    const { kid } = await (await subject.open()).sign(message);
    await subject.close();
    const [orphan, stranger] = [await makeKey(), await makeKey()];
    const before = await objectIds();
    await rewrite((document) => {
      announce(document, orphan);
    });
    const keyring = await subject.open();
    expect((await keyring.sign(message)).kid).toBe(kid);
    await subject.close();
    expect(await objectIds()).toEqual(before.filter((id) => id !== orphan));
    expect(await objectIds()).toContain(stranger);
    expect(sidecar().pending).toBeUndefined();
    expect(sidecar().keys).toHaveLength(1);
    expect(subject.logged).toContainEqual(
      expect.objectContaining({ msg: 'ended steps that were cut off', destroyed: [orphan] }),
    );
  });

  test('is kept by the start that seals the records: they may be an older copy', async () => {
    begin(true);
    await subject.open();
    await subject.close();
    const orphan = await makeKey();
    const document = sidecar();
    delete document.seal;
    announce(document, orphan);
    writeFileSync(subject.sidecarPath, JSON.stringify(document));
    subject.pkcs11Tool('--delete-object', '--type', 'data', '--label', subject.label);
    await subject.open();
    await subject.close();
    expect(await objectIds()).toContain(orphan);
    expect(sidecar().keys.map(({ object_id }) => object_id)).toContain(orphan);
    expect(sidecar().seal).toBeDefined();
  });

  test('becomes the first key of a keyring that has none', async () => {
    begin(true);
    await beforeFirstKey('00');
    const orphan = await makeKey();
    await rewrite((document) => {
      announce(document, orphan);
    });
    await (await subject.open()).sign(message);
    await subject.close();
    expect(await objectIds()).toEqual([orphan]);
  });
});

describe.each([true, false])('a key that cannot sign, records sealed: %s', (sealed) => {
  beforeEach(() => {
    begin(sealed);
  });

  test('announced as the first one: another is made, and then it is destroyed', async () => {
    await beforeFirstKey('f1');
    makeUseless('f1');
    const keyring = await subject.open();
    const { kid } = await keyring.sign(message);
    await subject.close();
    expect(sidecar()).toMatchObject({ active: kid });
    expect(sidecar().pending).toBeUndefined();
    expect(await objectIds()).toEqual(sidecar().keys.map(({ object_id }) => object_id));
    expect(await objectIds()).not.toContain('f1');
  });

  test('announced as the first one, in a token that makes no other: nothing is destroyed', async () => {
    await beforeFirstKey('00');
    const orphan = await makeKey();
    await rewrite((document) => {
      announce(document, orphan);
    });
    const away = () => Promise.reject(new AgentError('backend_unavailable', 'it is away'));
    const vault = Object.assign(await subject.vault(), { sign: away, generate: away });
    await expect(subject.open(vault)).rejects.toThrow(/it is away/);
    expect(await objectIds()).toEqual([orphan]);
    await (await subject.open()).sign(message); // the token is well again
    expect(sidecar().keys.map(({ object_id }) => object_id)).toEqual([orphan]);
  });

  test('announced beside an active one: it is destroyed', async () => {
    await subject.open();
    await subject.close();
    makeUseless('f2');
    await rewrite((document) => {
      announce(document, 'f2');
    });
    await subject.open();
    await subject.close();
    expect(await objectIds()).not.toContain('f2');
    expect(sidecar().pending).toBeUndefined();
  });

  test('announced beside an active one that cannot sign either: nothing is destroyed', async () => {
    if (sealed) return; // there nobody asks whether it can sign
    await subject.open();
    await subject.close();
    const orphan = await makeKey();
    await rewrite((document) => {
      announce(document, orphan);
    });
    const away = () => Promise.reject(new AgentError('backend_unavailable', 'it is away'));
    const vault = Object.assign(await subject.vault(), { sign: away });
    await expect(subject.open(vault)).rejects.toThrow(/it is away/);
    expect(await objectIds()).toContain(orphan);
    expect(sidecar().pending).toHaveLength(1);
  });
});

describe('keys that are gone from the token', () => {
  test('and are valid no more do not keep a keyring from opening', async () => {
    begin(true);
    const { previous_kid } = await (await subject.open()).rotate(10);
    await subject.close();
    const gone = sidecar().keys.find(({ id }) => id === previous_kid)?.object_id ?? '';
    await withVault((vault) => vault.destroy(gone));
    await expect(subject.open()).rejects.toThrow(/is not in the token/); // in grace
    subject.clock.advance(10);
    const keyring = await subject.open();
    expect(JSON.stringify(subject.logged)).toContain('valid no more are not in the token');
    expect(await keyring.pruneExpiredGrace()).toBe(1);
    expect(sidecar().keys.map(({ id }) => id)).not.toContain(previous_kid);
  });
});
