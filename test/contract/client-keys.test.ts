import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decrypter, armor, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Actor, ClientKeyView } from '../../src/api/client-keys.ts';
import { readPublicKey } from '../../src/formats/age/age-recipient.ts';
import { ClientKeys } from '../../src/access/client-keys.ts';
import { grantOf, type Grant } from '../../src/access/grant.ts';
import type { Principal, Scope } from '../../src/api/principal.ts';
import { AgentDatabase } from '../../src/database/agent-database.ts';
import { ClientKeyTable } from '../../src/database/client-key-table.ts';
import { Clock, worldWith } from '../support/world.ts';
import { noLedgers } from '../support/ledgers.ts';

const names = new Map([
  ['ci', 1001],
  ['root', 0],
]);
const apiKeys = new Set(['build-farm']);

let folder: string;
let clock: Clock;
let database: AgentDatabase;
let keys: ClientKeys;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'client-keys-'));
  clock = new Clock();
  database = new AgentDatabase(join(folder, 'agent.db'), noLedgers.transactions);
  keys = new ClientKeys({
    opened: () => (database.current === null ? null : new ClientKeyTable(database.current)),
    openOrCreate: async () => new ClientKeyTable(await database.openOrCreate()),
    accounts: {
      userId: (name) => names.get(name) ?? null,
      userName: (uid) => [...names].find(([, id]) => id === uid)?.[0] ?? null,
    },
    hasApiKey: (id) => apiKeys.has(id),
    world: worldWith(clock),
  });
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

function user(uid: number, scope: Scope = 'app'): Grant {
  const name = [...names].find(([, id]) => id === uid)?.[0] ?? String(uid);
  const principal = { kind: 'user', name, uid, pid: 1, scope } as const;
  return granted(principal, scope, null);
}

function granted(principal: Principal, scope: Scope, keyrings: ReadonlySet<string> | null): Grant {
  const allowances = scope === 'none' ? [] : [{ scope, keyrings, purposes: null }];
  return grantOf(principal, allowances, { bounds: new Map(), signaturesPerSecond: null });
}

function apiKey(
  id: string,
  scope: Scope = 'app',
  keyrings: ReadonlySet<string> | null = null,
): Grant {
  const principal = { kind: 'api_key', name: id, uid: 1001, pid: 1, scope, api_key: id } as const;
  return granted(principal, scope, keyrings);
}

const ci = user(1001);
const admin = user(0, 'admin');

async function newPair(): Promise<{ identity: string; publicKey: Uint8Array }> {
  const identity = await generateX25519Identity();
  const read = readPublicKey(await identityToRecipient(identity));
  if ('fault' in read) throw new Error(read.fault);
  return { identity, publicKey: read.key };
}

async function register(grant: Grant, publicKey?: Uint8Array): Promise<ClientKeyView> {
  const key = publicKey ?? (await newPair()).publicKey;
  return keys.register({ publicKey: key, label: null, actor: null }, grant);
}

const mine = { actor: null, revokedToo: false };
const idsOf = (grant: Grant, of: Parameters<ClientKeys['list']>[0] = mine): readonly string[] =>
  keys.list(of, grant).keys.map(({ id }) => id);

describe('whose a key is', () => {
  test('the user, by uid, with the login name where there is one', async () => {
    expect(await register(ci)).toMatchObject({
      actor: { kind: 'user', id: '1001', name: 'ci' },
      created_at: '2026-05-14T17:55:00.000Z',
    });
    expect((await register(user(4242))).actor).toEqual({ kind: 'user', id: '4242', name: null });
  });

  test('the API key that the caller authenticated with', async () => {
    expect((await register(apiKey('build-farm'))).actor).toEqual({
      kind: 'api_key',
      id: 'build-farm',
      name: null,
    });
    expect(idsOf(ci)).toEqual([]); // the same uid
  });

  test('somebody else, where an admin says so and there is such a one', async () => {
    const { publicKey } = await newPair();
    const of = (kind: 'user' | 'api_key', id: string) => ({
      publicKey,
      label: null,
      actor: { kind, id },
    });
    expect((await keys.register(of('user', 'ci'), admin)).actor.id).toBe('1001');
    expect((await keys.register(of('user', '77'), admin)).actor.id).toBe('77');
    expect((await keys.register(of('api_key', 'build-farm'), admin)).actor.id).toBe('build-farm');
    for (const [kind, id] of [
      ['user', 'nobody-here'],
      ['user', '4294967295'],
      ['api_key', 'gone'],
    ] as const) {
      await expect(keys.register(of(kind, id), admin)).rejects.toMatchObject({ kind: 'not_found' });
    }
  });

  test.each([
    ['a user', ci],
    ['an API key', apiKey('build-farm')],
    ['an admin of some keyrings alone', apiKey('build-farm', 'admin', new Set(['default']))],
  ])('%s registers for itself alone', async (_, grant) => {
    const { publicKey } = await newPair();
    for (const id of ['root', '0', 'nobody-here']) {
      await expect(
        keys.register({ publicKey, label: null, actor: { kind: 'user', id } }, grant),
      ).rejects.toMatchObject({ kind: 'forbidden', details: { needs: 'admin' } });
    }
    expect(() => keys.list({ actor: { kind: 'user', id: '0' }, revokedToo: false }, grant)).toThrow(
      expect.objectContaining({ kind: 'forbidden' }),
    );
    const { api_key, name } = grant.principal;
    const kind = api_key === undefined ? 'user' : 'api_key';
    const actor: Actor = { kind, id: name };
    const own = await keys.register({ publicKey, label: null, actor }, grant);
    expect(idsOf(grant, { actor, revokedToo: false })).toEqual([own.id]);
  });
});

describe('who sees and revokes a key', () => {
  test('its owner and admins; to everybody else it is not there', async () => {
    const { id } = await register(ci);
    await register(admin);
    expect(idsOf(ci)).toEqual([id]);
    expect(idsOf(admin)).toHaveLength(2);
    expect(idsOf(admin, { actor: { kind: 'user', id: 'ci' }, revokedToo: false })).toEqual([id]);
    const unknown = `ck_${'0'.repeat(32)}`;
    const strangers = [
      user(1002),
      apiKey('build-farm'),
      apiKey('x', 'admin', new Set(['default'])),
    ];
    for (const stranger of strangers) {
      for (const act of [keys.show.bind(keys), keys.revoke.bind(keys)]) {
        const saying = [id, unknown].map(async (one) => {
          try {
            return await act(one, stranger);
          } catch (failure) {
            const { kind, message } = failure as { kind: string; message: string };
            return { kind, message: message.replace(one, 'ID') };
          }
        });
        const said = await Promise.all(saying);
        expect(said[0]).toMatchObject({ kind: 'not_found' });
        expect(said[0]).toEqual(said[1]);
      }
    }
    expect(keys.show(id, admin).id).toBe(id);
    expect((await keys.revoke(id, admin)).revoked_at).toBe('2026-05-14T17:55:00.000Z');
  });

  test('a revoked key is hidden, and its record stays', async () => {
    const { id } = await register(ci);
    clock.advance(60);
    const revoked = await keys.revoke(id, ci);
    expect(revoked.revoked_at).toBe('2026-05-14T17:56:00.000Z');
    expect(idsOf(ci)).toEqual([]);
    expect(keys.list({ actor: null, revokedToo: true }, ci)).toEqual({ keys: [revoked] });
    expect(keys.show(id, ci)).toEqual(revoked);
    clock.advance(60);
    await expect(keys.revoke(id, ci)).rejects.toThrow(
      /was revoked at 2026-05-14T17:56:00.000Z already/,
    );
  });
});

describe('how many', () => {
  test('one key once an actor, until it is revoked', async () => {
    const { publicKey } = await newPair();
    const first = await register(ci, publicKey);
    await expect(register(ci, publicKey)).rejects.toMatchObject({
      kind: 'already_exists',
      details: { id: first.id },
      message: expect.stringContaining(first.id) as string,
    });
    await register(user(1002), publicKey);
    await keys.revoke(first.id, ci);
    expect((await register(ci, publicKey)).id).not.toBe(first.id);
    expect(keys.list({ actor: null, revokedToo: true }, ci).keys).toHaveLength(2);
  });

  test('that were revoked are listed: the last thousand', async () => {
    const table = new ClientKeyTable(await database.openOrCreate());
    const time = (at: number): string => new Date(Date.UTC(2026, 0, 1) + at).toISOString();
    await table.atomically(() => {
      for (let at = 0; at < 1003; at += 1) {
        table.add({
          id: `ck_${at.toString(16).padStart(32, '0')}`,
          actor: { kind: 'user', id: at === 0 ? '0' : '1001' },
          publicKey: Buffer.alloc(32, 9),
          label: null,
          createdAt: time(at),
          lastUsedAt: null,
          revokedAt: time(at + 5000),
        });
      }
    });
    const { id } = await register(ci);
    const own = keys.list({ actor: null, revokedToo: true }, ci);
    expect(own.keys).toHaveLength(1001);
    expect(own.keys[0]?.id).toBe(id);
    expect(own.keys[1]?.created_at).toBe(time(1002));
    expect(own.keys.at(-1)?.created_at).toBe(time(3));
    expect(own.older_revoked).toBe(2);
    expect(keys.list({ actor: null, revokedToo: true }, admin).older_revoked).toBe(3);
    expect(keys.list(mine, ci)).toMatchObject({ keys: [{ id }] });
  });

  test('a thousand that are not revoked', async () => {
    const table = new ClientKeyTable(await database.openOrCreate());
    await table.atomically(() => {
      for (let at = 0; at < 1000; at += 1) {
        const publicKey = Buffer.alloc(32, 9);
        publicKey.writeUInt32LE(at);
        table.add({
          id: `ck_${at.toString(16).padStart(32, '0')}`,
          actor: { kind: 'user', id: '1001' },
          publicKey,
          label: null,
          createdAt: '2026-05-14T17:00:00.000Z',
          lastUsedAt: null,
          revokedAt: null,
        });
      }
    });
    await expect(register(ci)).rejects.toMatchObject({
      kind: 'too_large',
      details: { limit: 1000 },
    });
    await register(user(1002));
    await keys.revoke(`ck_${'0'.repeat(32)}`, ci);
    await register(ci);
  });
});

describe('sealing', () => {
  async function opened(age: string, identity: string): Promise<string> {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    return decrypter.decrypt(armor.decode(age), 'text');
  }

  test('for several keys, each of which opens it; each is marked as used', async () => {
    const [one, other] = [await newPair(), await newPair()];
    const ids = [
      (await register(ci, one.publicKey)).id,
      (await register(admin, other.publicKey)).id,
    ];
    const unused = await register(ci);
    clock.advance(60);
    const age = await keys.seal([...ids, ...ids], Buffer.from('a secret'));
    expect(await opened(age, one.identity)).toBe('a secret');
    expect(await opened(age, other.identity)).toBe('a secret');
    for (const id of ids)
      expect(keys.show(id, admin).last_used_at).toBe('2026-05-14T17:56:00.000Z');
    expect(keys.show(unused.id, admin).last_used_at).toBeNull();
  });

  test('for a key that is unknown or revoked is refused, and marks none as used', async () => {
    const [good, revoked] = [await register(ci), await register(ci)];
    await keys.revoke(revoked.id, ci);
    for (const bad of [revoked.id, `ck_${'0'.repeat(32)}`]) {
      await expect(keys.seal([good.id, bad], Buffer.from('a secret'))).rejects.toMatchObject({
        kind: 'not_found',
        details: { client_key: bad },
      });
    }
    expect(keys.show(good.id, ci).last_used_at).toBeNull();
  });

  test('for a key that is revoked meanwhile is refused', async () => {
    const { id } = await register(ci);
    const sealing = keys.seal([id], Buffer.from('a secret'));
    await keys.revoke(id, ci);
    await expect(sealing).rejects.toMatchObject({ kind: 'not_found' });
  });

  test('for nobody is refused, with a database or without', async () => {
    await expect(keys.seal([`ck_${'0'.repeat(32)}`], Buffer.from('x'))).rejects.toMatchObject({
      kind: 'not_found',
    });
    await expect(keys.seal([], Buffer.from('x'))).rejects.toThrow(/nobody to seal for/);
  });
});

describe('before it is begun', () => {
  const registration = (at: number, actor: Actor | null = null) => {
    const publicKey = Buffer.alloc(32, 9);
    publicKey.writeUInt32LE(at + 1, 0);
    return { publicKey, label: null, actor };
  };
  const refused = (at: number, by: Grant, actor: Actor | null = null): unknown => {
    try {
      keys.foresee(registration(at, actor), by);
      return null;
    } catch (failure) {
      return failure;
    }
  };

  test('a registration is refused that would change nothing', async () => {
    expect(refused(0, user(1001))).toBeNull();
    const { id } = await keys.register(registration(0), user(1001));
    expect(refused(0, user(1001))).toMatchObject({ kind: 'already_exists', details: { id } });
    expect(refused(0, user(1002))).toBeNull();
    expect(refused(0, user(1002), { kind: 'user', id: '1001' })).toMatchObject({
      kind: 'forbidden',
    });
  });

  test('a caller registers 200 keys a day, whatever was revoked since; an admin for him as many as there is room for', async () => {
    for (let at = 0; at < 200; at += 1) {
      expect(refused(at, user(1001))).toBeNull();
      const { id } = await keys.register(registration(at), user(1001));
      if (at % 2 === 0) await keys.revoke(id, user(1001));
      clock.advance(1);
    }
    const dayLeft = (24 * 60 * 60 - 200) * 1000;
    expect(refused(500, user(1001))).toMatchObject({
      kind: 'rate_limited',
      details: { retry_after_ms: dayLeft },
    });
    expect(refused(500, user(1002))).toBeNull();
    expect(refused(500, user(0, 'admin'), { kind: 'user', id: '1001' })).toBeNull();
    clock.advance(dayLeft / 1000 + 1);
    expect(refused(500, user(1001))).toBeNull();
  });
});
