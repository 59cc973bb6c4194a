import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { emptyState } from '../../src/vault/key-records.ts';
import { Sidecar } from '../../src/keyring/sidecar/sidecar.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { TokenKeyring } from '../support/token-keyring.ts';
import { worldWith } from '../support/world.ts';

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
  subject = new TokenKeyring(token, `ring-${made}`, { sealed: false });
});
afterEach(async () => {
  await subject.remove();
});

interface Document {
  keys: { id: string; public_key_b64: string; object_id: string }[];
  active: string | null;
  pending?: unknown[];
  [member: string]: unknown;
}
const sidecar = (): Document => JSON.parse(readFileSync(subject.sidecarPath, 'utf8')) as Document;
const rewrite = (change: (document: Document) => void): void => {
  const document = sidecar();
  change(document);
  writeFileSync(subject.sidecarPath, JSON.stringify(document));
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

test('has its members and nothing private', async () => {
  const keyring = await subject.open();
  await keyring.rotate(60);
  await keyring.prepare();
  const document = sidecar();
  expect(Object.keys(document)).toEqual([
    'version',
    'keyring',
    'algorithm',
    'keys',
    'active',
    'prepared',
    'retired_grace_until',
    'activated',
    'latest_time',
  ]);
  for (const key of document.keys) {
    expect(Object.keys(key)).toEqual(['id', 'public_key_b64', 'created_at', 'object_id']);
  }
  const listed = await keyring.listKeys();
  expect(document.keys.map((key) => key.object_id)).toEqual(listed.map((key) => key.object_id));
  await subject.close();
  expect(await objectIds()).toEqual(document.keys.map((key) => key.object_id).sort());
});

test('pruned and revoked keys are gone from the token, all others are there', async () => {
  const keyring = await subject.open();
  const { previous_kid: pruned } = await keyring.rotate(10);
  const { previous_kid: revoked } = await keyring.rotate(60);
  subject.clock.advance(10);
  await keyring.pruneExpiredGrace();
  await keyring.revoke(revoked);
  await subject.close();
  const document = sidecar();
  expect(document.pending).toBeUndefined();
  expect(document.keys.map(({ id }) => id)).not.toContain(pruned);
  const held = document.keys.filter(({ id }) => id !== revoked);
  expect(held).toHaveLength(1);
  expect(await objectIds()).toEqual(held.map((key) => key.object_id));
  await (await subject.open()).sign(message); // a revoked record without an object is no fault
});

describe('refuses to open, says what it found and what repairs it', () => {
  const refused = async (...texts: string[]): Promise<void> => {
    const before = await objectIds();
    const failure: unknown = await subject.open().catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ kind: 'backend_unavailable' });
    for (const text of [...texts, `agentctl reconcile --keyring ${subject.name}`]) {
      expect(String(failure)).toContain(text);
    }
    expect(await objectIds()).toEqual(before);
  };

  beforeEach(async () => {
    await (await subject.open()).rotate(60);
    await subject.close();
  });

  test('without a sidecar while the token has keys of this keyring', async () => {
    const ids = sidecar().keys.map((key) => key.object_id);
    rmSync(subject.sidecarPath);
    await refused('2 key(s)', subject.sidecarPath, ...ids);
    expect(() => readFileSync(subject.sidecarPath)).toThrow(/ENOENT/);
  });

  test('with an empty, truncated or foreign one', async () => {
    const whole = readFileSync(subject.sidecarPath, 'utf8');
    for (const text of ['', '{', whole.slice(0, -20), '[]', 'null', '{"version":2}']) {
      writeFileSync(subject.sidecarPath, text);
      await refused(subject.sidecarPath);
      expect(readFileSync(subject.sidecarPath, 'utf8')).toBe(text);
    }
  });

  test('with the keystore of a file keyring, which no command is named to replace', async () => {
    const seed_b64 = Buffer.alloc(32, 1).toString('base64url');
    const keys = [{ id: '00000000', seed_b64, created_at: '2026-01-01T00:00:00Z' }];
    const keystore = JSON.stringify({ version: 1, keys, active: '00000000' });
    writeFileSync(subject.sidecarPath, keystore);
    const refused: unknown = await subject.open().catch((failure: unknown) => failure);
    expect(String(refused)).toContain('is the keystore of a file keyring');
    expect(String(refused)).not.toMatch(/reconcile|AQEBAQ/);
    expect(readFileSync(subject.sidecarPath, 'utf8')).toBe(keystore);
  });

  test('with one that was emptied of its keys', async () => {
    rewrite((document) => {
      Object.assign(document, { keys: [], active: null, retired_grace_until: {} });
    });
    await refused('2 key(s)');
  });

  test('with one of another keyring or algorithm, or that contradicts itself', async () => {
    const whole = readFileSync(subject.sidecarPath, 'utf8');
    const changes: ((document: Document) => void)[] = [
      (document) => (document['keyring'] = 'other'),
      (document) => (document['algorithm'] = 'es256'),
      (document) => (document['surprise'] = 1),
      (document) => (document.active = 'ffffffff'),
      (document) => (document.active = null),
      (document) => (document['prepared'] = { kid: document.active, activates_at: null }),
      (document) => document.keys.push(...document.keys.slice(0, 1)),
      (document) =>
        (document['revoked'] = { [document.active ?? '']: { at: '2026-01-01T00:00:00Z' } }),
      (document) => Object.assign(document.keys[0] ?? {}, { public_key_b64: 'AAAA' }),
    ];
    for (const change of changes) {
      writeFileSync(subject.sidecarPath, whole);
      rewrite(change);
      await refused(subject.sidecarPath);
    }
  });

  test('with one that names an object which is gone', async () => {
    const key = sidecar().keys[0];
    if (key === undefined) throw new Error('there is a key');
    await withVault((vault) => vault.destroy(key.object_id));
    await refused(key.id, key.object_id, 'is not in the token');
  });

  test('with one that names the object of another key', async () => {
    rewrite(({ keys }) => {
      const [first, second] = keys;
      if (first === undefined || second === undefined) throw new Error('there are two keys');
      [first.object_id, second.object_id] = [second.object_id, first.object_id];
    });
    await refused('is another key in the token');
  });

  test('with one that others may read', async () => {
    chmodSync(subject.sidecarPath, 0o644);
    await expect(subject.open()).rejects.toThrow(/chmod/);
  });
});

describe('its repair', () => {
  const examined = async () => {
    await subject.open();
    await subject.close();
    writeFileSync(subject.sidecarPath, '{');
    const { files } = worldWith(subject.clock);
    const owner = { keyring: subject.name, algorithm: 'ed25519' } as const;
    const store = new Sidecar(subject.storePlace, owner, files);
    return { store, found: await store.examine(null) };
  };

  test('keeps what was there, under a name of its own', async () => {
    const { store, found } = await examined();
    expect(found.records).toMatchObject({ found: 'readable' });
    expect(found.instead).toEqual({
      of: { found: 'broken', reason: 'it is not JSON' },
      copy: subject.storePlace.copyPath,
    });
    const copy = await found.replace(emptyState, worldWith(subject.clock));
    expect(copy).toBe(`${subject.sidecarPath}.before-reconcile-20260514T175500Z`);
    expect(readFileSync(copy ?? '', 'utf8')).toBe('{');
    const { records } = await store.examine(null);
    expect(records).toEqual({ found: 'readable', state: emptyState });
  });

  test('replaces nothing that it has not examined, and no copy', async () => {
    const { found } = await examined();
    const repair = () => found.replace(emptyState, worldWith(subject.clock));
    writeFileSync(subject.sidecarPath, '[]');
    await expect(repair()).rejects.toMatchObject({ kind: 'conflict' });
    expect(readFileSync(subject.sidecarPath, 'utf8')).toBe('[]');
    writeFileSync(subject.sidecarPath, '{');
    await expect(repair()).rejects.toThrow(/before-reconcile-\S+ exists already/);
    expect(readFileSync(subject.sidecarPath, 'utf8')).toBe('{');
  });
});

describe('a process that was killed in the middle', () => {
  const pending = (step: string, objectId: string) => ({
    step,
    object_id: objectId,
    since: '2026-05-14T17:55:00.000Z',
  });

  test("of making a key: it is kept as left over, valid nowhere; nobody else's is touched", async () => {
    const keyring = await subject.open();
    const { kid } = await keyring.sign(message);
    await subject.close();
    const [orphan, stranger] = await withVault(async (vault) => {
      const make = async (): Promise<string> => {
        const objectId = vault.reserve?.() ?? '';
        await vault.generate(objectId);
        return objectId;
      };
      return [await make(), await make()];
    });
    rewrite((document) => (document.pending = [pending('generate', orphan)]));
    const again = await subject.open();
    expect((await again.sign(message)).kid).toBe(kid);
    expect(await again.listValidPubkeys()).toHaveLength(1);
    const states = (await again.listKeys()).map((key) => [key.object_id, key.state]);
    expect(states).toContainEqual([orphan, 'retired']);
    expect(states.map(([objectId]) => objectId)).not.toContain(stranger);
    await subject.close();
    expect(sidecar().pending).toBeUndefined();
    expect(await objectIds()).toEqual(
      [orphan, stranger, ...states.map(([id]) => id).filter((id) => id !== orphan)].sort(),
    );
  });

  test.each(['pruned', 'revoked'] as const)(
    'of making a key: what is left over can be %s, and leaves the token',
    async (how) => {
      const keyring = await subject.open();
      const { kid: active } = await keyring.sign(message);
      await subject.close();
      const orphan = await withVault(async (vault) => {
        const objectId = vault.reserve?.() ?? '';
        await vault.generate(objectId);
        return objectId;
      });
      rewrite((document) => (document.pending = [pending('generate', orphan)]));
      const again = await subject.open();
      const left = (await again.listKeys()).find((key) => key.object_id === orphan);
      expect(left).toMatchObject({ state: 'retired', valid_until: null });
      expect(await again.pruneExpiredGrace()).toBe(0);
      if (how === 'pruned') expect(await again.pruneExpiredGrace({ leftOver: true })).toBe(1);
      else await again.revoke(left?.kid ?? '', 'left over');
      const states = (await again.listKeys()).map(({ kid, state }) => [kid, state]);
      expect(states).toEqual([
        [active, 'active'],
        ...(how === 'pruned' ? [] : [[left?.kid, 'revoked']]),
      ]);
      expect((await again.sign(message)).kid).toBe(active);
      await subject.close();
      expect(await objectIds()).not.toContain(orphan);
    },
  );

  test('of making a key, and the copy of that moment put back after it was acknowledged', async () => {
    const vault = await subject.vault();
    const keyring = await subject.open(vault);
    const generate = vault.generate.bind(vault);
    let copy = '';
    vault.generate = (objectId) => {
      copy = readFileSync(subject.sidecarPath, 'utf8');
      return generate(objectId);
    };
    const { new_active_kid } = await keyring.rotate(60);
    await subject.close();
    const before = await objectIds();
    writeFileSync(subject.sidecarPath, copy);
    const again = await subject.open();
    expect((await again.listKeys()).map((key) => key.kid)).toContain(new_active_kid);
    await subject.close();
    expect(await objectIds()).toEqual(before);
  });

  test('of making a key of which one half is there: it is removed', async () => {
    await subject.open();
    await subject.close();
    const half = await withVault(async (vault) => {
      const objectId = vault.reserve?.() ?? '';
      await vault.generate(objectId);
      return objectId;
    });
    subject.removePrivateHalf(half);
    rewrite((document) => (document.pending = [pending('generate', half)]));
    await subject.open();
    await subject.close();
    expect(await objectIds()).not.toContain(half);
  });

  test('of announcing a key that was never made', async () => {
    await subject.open();
    await subject.close();
    rewrite((document) => (document.pending = [pending('generate', '00'.repeat(16))]));
    await subject.open();
    expect(sidecar().pending).toBeUndefined();
  });

  test('of removing a key: it is removed', async () => {
    const { previous_kid } = await (await subject.open()).rotate(60);
    await subject.close();
    const gone = sidecar().keys.find(({ id }) => id === previous_kid)?.object_id ?? '';
    rewrite((document) => {
      document.keys = document.keys.filter(({ id }) => id !== previous_kid);
      document['retired_grace_until'] = {};
      document.pending = [pending('destroy', gone)];
    });
    await subject.open();
    await subject.close();
    expect(await objectIds()).not.toContain(gone);
  });

  test('of making the very first key', async () => {
    await subject.open();
    await subject.close();
    const half = sidecar().keys[0]?.object_id ?? '';
    rewrite((document) => {
      Object.assign(document, { keys: [], active: null, pending: [pending('generate', half)] });
    });
    const keyring = await subject.open();
    expect((await keyring.sign(message)).signature).toHaveLength(64);
    await subject.close();
    const ids = await objectIds();
    expect(ids).toEqual(sidecar().keys.map((key) => key.object_id));
    expect(ids).toEqual([half]); // a whole key: it becomes the first one
  });

  test('never destroys an object that a record names, whatever was announced', async () => {
    await subject.open();
    await subject.close();
    const held = sidecar().keys[0]?.object_id ?? '';
    rewrite((document) => (document.pending = [pending('destroy', held)]));
    await subject.open();
    await subject.close();
    expect(await objectIds()).toEqual([held]);
  });
});

describe('records that change while the keyring is open', () => {
  test('never make a key sign under the name of another', async () => {
    const keyring = await subject.open();
    const { previous_kid, new_active_kid } = await keyring.rotate(60);
    await keyring.sign(message, previous_kid);
    await keyring.sign(message, new_active_kid);
    rewrite(({ keys }) => {
      const [first, second] = keys;
      if (first === undefined || second === undefined) throw new Error('there are two keys');
      [first.object_id, second.object_id] = [second.object_id, first.object_id];
    });
    for (const kid of [previous_kid, new_active_kid]) {
      await expect(keyring.sign(message, kid)).rejects.toMatchObject({
        kind: 'backend_unavailable',
      });
    }
  });

  test('a prepared key that is gone becomes active by no rotation and no revocation', async () => {
    const vault = await subject.vault();
    const keyring = await subject.open(vault);
    const active = await keyring.activeKeyId();
    const { kid } = await keyring.prepare();
    const objectId = sidecar().keys.find(({ id }) => id === kid)?.object_id;
    const sign = vault.sign.bind(vault);
    vault.sign = (key, text) =>
      key.objectId === objectId ? Promise.reject(new Error('it is gone')) : sign(key, text);
    const before = sidecar();
    for (const change of [() => keyring.rotate(60), () => keyring.revoke(active)]) {
      await expect(change()).rejects.toThrow(/cannot sign, so nothing was changed/);
      expect(sidecar()).toEqual(before);
    }
    await keyring.revoke(kid);
    expect((await keyring.rotate(60)).previous_kid).toBe(active);
  });
});

test('records that change while the prepared key proves itself: the rotation starts over', async () => {
  const vault = await subject.vault();
  const keyring = await subject.open(vault);
  const { kid } = await keyring.prepare();
  const objectId = sidecar().keys.find(({ id }) => id === kid)?.object_id;
  const sign = vault.sign.bind(vault);
  vault.sign = (key, text) => {
    if (key.objectId === objectId) rewrite((document) => delete document['prepared']);
    return sign(key, text);
  };
  const { new_active_kid } = await keyring.rotate(60);
  expect(new_active_kid).not.toBe(kid);
  expect(sidecar().active).toBe(new_active_kid);
  expect(sidecar().pending).toBeUndefined();
});

describe('a vault that fails', () => {
  test('in the middle of a rotation leaves the old key active and nothing behind', async () => {
    const vault = await subject.vault();
    const keyring = await subject.open(vault);
    const before = sidecar();
    const generate = vault.generate.bind(vault);
    vault.generate = () => Promise.reject(new Error('the token is full'));
    await expect(keyring.rotate(60)).rejects.toThrow(/full/);
    expect(sidecar()).toEqual(before);
    vault.generate = generate;
    await keyring.rotate(60);
  });

  test('to remove a key: the announcement stays, and the next start removes it', async () => {
    const vault = await subject.vault();
    const keyring = await subject.open(vault);
    const { previous_kid } = await keyring.rotate(0);
    const objectId = sidecar().keys.find(({ id }) => id === previous_kid)?.object_id ?? '';
    vault.destroy = () => Promise.reject(new Error('the token is busy'));
    expect(await keyring.pruneExpiredGrace()).toBe(1);
    expect(sidecar().pending).toMatchObject([{ step: 'destroy', object_id: objectId }]);
    await subject.close();
    expect(await objectIds()).toContain(objectId);
    await subject.open();
    await subject.close();
    expect(await objectIds()).not.toContain(objectId);
    expect(sidecar().pending).toBeUndefined();
  });
});
