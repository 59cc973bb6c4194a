import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CaKey } from '../../src/cluster/ca-key.ts';
import type { CaRecords } from '../../src/cluster/ca-records.ts';
import { forgetCa } from '../../src/cluster/forget-ca.ts';
import { openCaKey } from '../../src/cluster/open-ca-key.ts';
import { reservedKeyring } from '../../src/cluster/reserved-keyring.ts';
import { CaTable } from '../../src/database/ca-tables.ts';
import { openDatabase, type Database } from '../../src/database/database.ts';
import { madeAt } from '../../src/vault/object-id.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { capturedLog } from '../support/captured-log.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { TokenKeyring } from '../support/token-keyring.ts';
import { worldWith } from '../support/world.ts';

let token: SoftHsmToken;
let subject: TokenKeyring;
let folder: string;
let database: Database;
let records: CaRecords;
const captured = capturedLog();
const label = `signing-agent/${reservedKeyring}`;

beforeEach(async () => {
  token = await makeToken();
  subject = new TokenKeyring(token, reservedKeyring);
  folder = mkdtempSync(join(tmpdir(), 'cluster-ca-'));
  database = await openDatabase(join(folder, 'agent.db'));
  records = new CaTable(database);
  captured.lines.length = 0;
});
afterEach(async () => {
  database.close();
  await subject.remove();
  await token.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens it, signs once, and closes it; answers the kid. `change`: faults of the test's. */
async function open(change: (vault: Vault) => Vault = (vault) => vault): Promise<string> {
  return withCa((ca) => Promise.resolve(ca.kid), records, change);
}
async function withCa<T>(
  act: (ca: CaKey) => Promise<T>,
  into = records,
  change: (vault: Vault) => Vault = (vault) => vault,
): Promise<T> {
  const vault = change(await subject.vault());
  try {
    const ca = await openCaKey({
      vault,
      records: into,
      where: 'token "test"',
      madeAt: ({ objectId }) => madeAt(objectId),
      world: { ...worldWith(subject.clock), log: captured.log },
    });
    expect(await ca.sign(Buffer.from('x'))).toHaveLength(64);
    return await act(ca);
  } finally {
    await vault.close();
  }
}
async function objects(): Promise<readonly { objectId: string; hasPrivateKey: boolean }[]> {
  const vault = await subject.vault();
  try {
    return await vault.list();
  } finally {
    await vault.close();
  }
}
const ids = async (): Promise<string[]> => (await objects()).map(({ objectId }) => objectId);
const refusal = (what: RegExp, kind = 'backend_unavailable'): unknown =>
  expect.objectContaining({ kind, message: expect.stringMatching(what) as string });

/** By OpenSC, a key of its own making under the CA's label. */
const makeForeign = (id: string, ...attributes: string[]): void => {
  subject.pkcs11Tool(
    ...['--keypairgen', '--key-type', 'EC:edwards25519', '--label', label, '--id', id],
    ...attributes,
  );
};

test('it is made as an object that never leaves the token, and recorded', async () => {
  const kid = await withCa(async (ca) => {
    expect(ca).toMatchObject({ backend: 'pkcs11', protection: 'software' });
    return Promise.resolve(ca.kid);
  });
  const listed = subject.pkcs11Tool('--list-objects', '--type', 'privkey');
  expect(listed).toContain(`label:      ${label}`);
  expect(listed).toMatch(/Access: +sensitive, always sensitive, never extractable, local/);
  const [id] = await ids();
  expect(records.read()).toMatchObject({ backend: 'pkcs11', objectId: id, key: { kid } });
  expect(await open()).toBe(kid);
  expect(await ids()).toEqual([id]);
});

test('a key that is there alone is taken over', async () => {
  const kid = await open();
  const [id = ''] = await ids();
  database.run('DELETE FROM cluster_ca');
  expect(await open()).toBe(kid);
  expect(await ids()).toEqual([id]);
  expect(records.read()).toMatchObject({ objectId: id, key: { kid } });
  const made = new Date(madeAt(id) ?? 0).toISOString();
  expect(records.read()?.key?.createdAt).toBe(made);
  expect(captured.lines.map(({ msg }) => msg)).toContain(
    'a key that was there is the cluster CA now',
  );
});

test('it is forgotten once its key has left the token, not before, and another one is made', async () => {
  const forget = async (): Promise<void> => {
    const vault = await subject.vault();
    try {
      await forgetCa({ vault, where: 'token "test"' }, records);
    } finally {
      await vault.close();
    }
  };
  const kid = await open();
  await expect(forget()).rejects.toEqual(
    refusal(new RegExp(`token "test" has key ${kid}\\. Move that away`), 'conflict'),
  );
  expect(await open()).toBe(kid);
  const [id = ''] = await ids();
  subject.pkcs11Tool('--delete-object', '--type', 'privkey', '--id', id);
  await expect(forget()).rejects.toEqual(refusal(/half a key|has key/, 'conflict'));
  subject.pkcs11Tool('--delete-object', '--type', 'pubkey', '--id', id);
  await expect(open()).rejects.toEqual(refusal(new RegExp(`agentctl ca forget ${kid}`)));
  await forget();
  const next = await open();
  expect(next).not.toBe(kid);
  expect(await open()).toBe(next);
});

describe('it is refused', () => {
  test('where its object is lost: no other one is made', async () => {
    const kid = await open();
    const [id = ''] = await ids();
    for (const type of ['privkey', 'pubkey']) {
      subject.pkcs11Tool('--delete-object', '--type', type, '--id', id);
    }
    await expect(open()).rejects.toEqual(
      refusal(new RegExp(`the cluster CA, ${kid} of .* is lost: it is not in token "test"`)),
    );
    expect(await ids()).toEqual([]);
  });

  test('where its private half is lost', async () => {
    await open();
    const [id = ''] = await ids();
    subject.removePrivateHalf(id);
    await expect(open()).rejects.toEqual(refusal(/is lost/));
    database.run('DELETE FROM cluster_ca');
    await expect(open()).rejects.toEqual(
      refusal(new RegExp(`token "test" has half a key .*${id}.*put the other half back`)),
    );
    expect(await ids()).toEqual([id]);
  });

  test.each([['recorded'], ['not recorded']])(
    'where two keys could be it, of which one is %s',
    async (which) => {
      const kid = await open();
      const [id = ''] = await ids();
      makeForeign('aa01');
      if (which === 'not recorded') database.run('DELETE FROM cluster_ca');
      const named = `has 2 keys that could be the cluster CA, object ids .*${id}`;
      await expect(open()).rejects.toEqual(refusal(new RegExp(named)));
      if (which === 'recorded') await expect(open()).rejects.toEqual(refusal(new RegExp(kid)));
      expect((await ids()).sort()).toEqual([id, 'aa01'].sort());
      for (const type of ['privkey', 'pubkey']) {
        subject.pkcs11Tool('--delete-object', '--type', type, '--id', 'aa01');
      }
      expect(await open()).toBe(kid);
    },
  );

  test('where another key has taken its place', async () => {
    const kid = await open();
    const [id = ''] = await ids();
    for (const type of ['privkey', 'pubkey']) {
      subject.pkcs11Tool('--delete-object', '--type', type, '--id', id);
    }
    makeForeign(id);
    await expect(open()).rejects.toEqual(
      refusal(new RegExp(`is key ${kid} of .* token "test" has another key`)),
    );
  });

  test('where its private key may leave the token', async () => {
    makeForeign('bb02', '--extractable');
    await expect(open()).rejects.toEqual(refusal(/key bb02 is refused/, 'not_supported'));
    expect(await ids()).toEqual(['bb02']);
    expect(records.read()).toBeNull();
  });

  test('where it makes signatures that are not its own', async () => {
    await open();
    const wrong = (vault: Vault): Vault =>
      Object.assign(vault, { sign: () => Promise.resolve(new Uint8Array(64)) });
    await expect(open(wrong)).rejects.toEqual(refusal(/does not verify against its public key/));
  });
});

describe('ended', () => {
  const ending = (write: number, takesEffect: boolean): CaRecords => {
    let writes = 0;
    return {
      read: () => records.read(),
      write: async (record) => {
        writes += 1;
        if (writes !== write) return records.write(record);
        if (takesEffect) await records.write(record);
        throw new Error('killed');
      },
    };
  };
  const withCaEnding = (into: CaRecords): Promise<string> =>
    withCa((ca) => Promise.resolve(ca.kid), into);

  test.each([
    ['before it was announced', 1, false, 0],
    ['before it was made', 1, true, 0],
    ['before it was recorded', 2, false, 1],
    ['before it was answered', 2, true, 1],
  ] as const)('%s, the next start repairs it by itself', async (_, write, takesEffect, count) => {
    await expect(withCaEnding(ending(write, takesEffect))).rejects.toThrow('killed');
    const before = await ids();
    expect(before).toHaveLength(count);
    const kid = await open();
    expect(await ids()).toHaveLength(1);
    if (count === 1) expect(await ids()).toEqual(before);
    expect(records.read()?.key?.kid).toBe(kid);
  });

  test('as it was made: the half under the announced id goes, and nothing else', async () => {
    await expect(withCaEnding(ending(2, false))).rejects.toThrow('killed');
    const [id = ''] = await ids();
    subject.removePrivateHalf(id);
    const kid = await open();
    expect(await objects()).toMatchObject([{ objectId: id, hasPrivateKey: true }]);
    expect(records.read()).toMatchObject({ objectId: id, key: { kid } });
  });

  test('a half that nobody announced stays, and is told of', async () => {
    await expect(withCaEnding(ending(1, true))).rejects.toThrow('killed');
    makeForeign('cc03');
    subject.removePrivateHalf('cc03');
    await expect(open()).rejects.toEqual(refusal(/has half a key .*cc03/));
    expect(await ids()).toEqual(['cc03']);
  });
});
