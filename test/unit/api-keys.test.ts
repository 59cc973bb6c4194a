import { beforeEach, describe, expect, it } from 'vitest';
import { hashOfSecret } from '../../src/access/api-key-check.ts';
import type { LoadedApiKeys } from '../../src/access/api-key.ts';
import type { Purposes } from '../../src/access/purposes.ts';
import { ApiKeys, type ApiKeyStore } from '../../src/access/api-keys.ts';
import { entryOf, noEntries, type ApiKeysDocument } from '../../src/access/api-keys-format.ts';
import { AgentError } from '../../src/base/errors.ts';
import { Clock, worldWith } from '../support/world.ts';

/** A file in memory. */
class MemoryStore implements ApiKeyStore {
  document: ApiKeysDocument = noEntries;
  changes = 0;

  load(): ApiKeysDocument {
    return this.document;
  }

  change<T>(
    edit: (before: ApiKeysDocument) => { document: ApiKeysDocument; result: T },
    saved: (document: ApiKeysDocument) => void,
  ): Promise<T> {
    return Promise.resolve().then(() => {
      const { document, result } = edit(this.document);
      this.document = document;
      this.changes += 1;
      saved(document);
      return result;
    });
  }

  /** The members of a key, as the file has them. */
  written(id: string): Readonly<Record<string, unknown>> | undefined {
    return this.document.entries.find((entry) => entry.id === id)?.written;
  }
}

const machine = 'a'.repeat(64);
let clock: Clock;
let store: MemoryStore;
let loaded: LoadedApiKeys | null;
beforeEach(() => {
  clock = new Clock();
  store = new MemoryStore();
  loaded = null;
});

function keys(more: { machine?: string | null } = {}): ApiKeys {
  return new ApiKeys({
    store,
    accounts: { userId: (name) => (name === 'ci' ? 1001 : null) },
    keyrings: new Map<string, Purposes>([
      ['default', null],
      ['ci', new Set(['minisign', 'sshsig:file'] as const)],
    ]),
    machine,
    uses: { since: '2026-05-14T17:00:00Z', lastUsed: (id) => (id === 'used' ? clock.now() : null) },
    changed: (next) => {
      loaded = next;
    },
    world: worldWith(clock),
    ...more,
  });
}
const handOver = (secret: Buffer) => Promise.resolve({ secret: secret.toString() });
const create = (id: string, more: object = {}) =>
  keys().create({ id, scope: 'app', ...more }, handOver);

describe('a new API key', () => {
  it('is kept as a hash of the secret that was handed over, with what it is restricted to', async () => {
    const made = await create('build-farm', {
      allowed_keyrings: ['ci'],
      allowed_purposes: ['sshsig:file'],
      allowed_users: ['ci'],
      allowed_machines: ['this', 'b'.repeat(64)],
      expires_in_seconds: 60,
      max_signatures_per_second: 5,
      max_connections: 2,
      note: 'the farm',
    });
    const { secret = '', ...shown } = made;
    expect(secret).toMatch(/^sa_build-farm_[0-9a-f]{64}$/);
    expect(shown).toEqual({
      id: 'build-farm',
      scope: 'app',
      created_at: '2026-05-14T17:55:00.000Z',
      expires_at: '2026-05-14T17:56:00.000Z',
      allowed_keyrings: ['ci'],
      allowed_purposes: ['sshsig:file'],
      allowed_users: ['ci'],
      allowed_machines: [machine, 'b'.repeat(64)],
      max_signatures_per_second: 5,
      max_connections: 2,
      note: 'the farm',
      warnings: [],
    });
    const hash = Buffer.from(hashOfSecret(secret)).toString('hex');
    expect(store.written('build-farm')).toEqual({
      id: 'build-farm',
      hash: `sha256:${hash}`,
      scope: 'app',
      created_at: '2026-05-14T17:55:00.000Z',
      expires_at: '2026-05-14T17:56:00.000Z',
      allowed_users: ['ci'],
      allowed_machines: [machine, 'b'.repeat(64)],
      allowed_keyrings: ['ci'],
      allowed_purposes: ['sshsig:file'],
      note: 'the farm',
      max_signatures_per_second: 5,
      max_connections: 2,
    });
    expect(loaded?.keys.get('build-farm')?.users).toEqual(new Set([1001]));
  });

  it('has no member for what it is not restricted to', async () => {
    const made = await create('plain', { allowed_users: null, expires_at: null });
    expect(Object.keys(store.written('plain') ?? {})).toEqual([
      'id',
      'hash',
      'scope',
      'created_at',
    ]);
    expect(made).toMatchObject({ expires_at: null, allowed_users: null, allowed_keyrings: null });
  });

  it('has a secret of its own, which is wiped when it was handed over', async () => {
    const buffers: Buffer[] = [];
    const secrets = new Set<string | undefined>();
    for (const id of ['one', 'two']) {
      const made = await keys().create({ id, scope: 'app' }, (secret) => {
        buffers.push(secret);
        return handOver(secret);
      });
      secrets.add(made.secret?.slice(-64));
    }
    expect(secrets.size).toBe(2);
    expect(buffers.map((buffer) => buffer.every((byte) => byte === 0))).toEqual([true, true]);
  });

  it('is not made where its secret cannot be handed over', async () => {
    const failing = keys().create({ id: 'lost', scope: 'app' }, () =>
      Promise.reject(new AgentError('not_found', 'no such client key')),
    );
    await expect(failing).rejects.toMatchObject({ kind: 'not_found' });
    expect(store.changes).toBe(0);
  });

  it('takes no name that is taken, not in the last moment either', async () => {
    await create('taken');
    const asked: string[] = [];
    const second = keys().create({ id: 'taken', scope: 'admin' }, (secret) => {
      asked.push('handed over');
      return handOver(secret);
    });
    await expect(second).rejects.toMatchObject({ kind: 'already_exists' });
    expect(asked).toEqual([]);
    const both = await Promise.allSettled([create('late'), create('late')]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(store.document.entries.map(({ id }) => id)).toEqual(['taken', 'late']);
  });

  it.each<[string, object, object]>([
    [
      'a keyring that is not configured',
      { allowed_keyrings: ['ic'] },
      {
        kind: 'not_found',
        message: expect.stringMatching(/"ic"; there are: default, ci/) as string,
      },
    ],
    [
      'a time that has passed',
      { expires_at: '2026-05-14T17:55:00Z' },
      { kind: 'invalid_params', details: { issues: [{ field: 'expires_at' }] } },
    ],
    [
      'two ends',
      { expires_at: '2027-01-01T00:00:00Z', expires_in_seconds: 5 },
      { kind: 'invalid_params' },
    ],
    [
      'two ends, one of them never',
      { expires_at: null, expires_in_seconds: 5 },
      { kind: 'invalid_params' },
    ],
  ])('with %s is refused, and nothing is written', async (_, more, failure) => {
    await expect(create('refused', more)).rejects.toMatchObject(failure);
    expect(store.changes).toBe(0);
  });

  it('for this machine needs a machine that can be told from others', async () => {
    const made = keys({ machine: null }).create(
      { id: 'here', scope: 'app', allowed_machines: ['this'] },
      handOver,
    );
    await expect(made).rejects.toMatchObject({ kind: 'not_supported' });
  });

  it('for users that are not here says that they are nobody', async () => {
    const { warnings } = await create('typo', { allowed_users: ['ic', 'ci'] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/there is no user "ic" here, so it allows nobody/);
    expect(loaded?.keys.get('typo')?.users).toEqual(new Set([1001]));
  });
});

describe('update', () => {
  it('changes what is named, takes away what is null, and leaves the rest and the secret', async () => {
    await create('key', {
      allowed_keyrings: ['ci'],
      allowed_users: ['ci'],
      note: 'old',
      expires_in_seconds: 9,
    });
    const before = store.written('key');
    await keys().update({ id: 'key', allowed_users: null, note: 'new', scope: 'reader' });
    expect(store.written('key')).toEqual({
      ...Object.fromEntries(
        Object.entries(before ?? {}).filter(([name]) => name !== 'allowed_users'),
      ),
      note: 'new',
      scope: 'reader',
    });
    expect(loaded?.keys.get('key')).toMatchObject({ scope: 'reader', users: null });
    await keys().update({ id: 'key', expires_at: null });
    expect(store.written('key')).not.toHaveProperty('expires_at');
  });

  it('leaves times that it does not change as they were written, and other entries too', async () => {
    const legacy = {
      id: 'legacy',
      hash: `sha256:${'0'.repeat(64)}`,
      created_at: '2020-01-01T00:00:00.123456789+00:00',
    };
    store.document = {
      entries: [
        entryOf({ ...legacy, scope: 'app', expires_at: '2031-01-01T00:00:00.000000001+00:00' }),
        entryOf({ ...legacy, id: 'other', allowed_nets: ['10/8'] }),
      ],
    };
    await keys().update({ id: 'legacy', note: 'x' });
    expect(store.written('legacy')).toMatchObject({
      created_at: '2020-01-01T00:00:00.123456789+00:00',
      expires_at: '2031-01-01T00:00:00.000000001+00:00',
    });
    expect(store.written('other')).toEqual({ ...legacy, id: 'other', allowed_nets: ['10/8'] });
  });

  it('gives an entry from before scopes existed the scope that it is told, and none by itself', async () => {
    const legacy = {
      id: 'legacy',
      hash: `sha256:${'0'.repeat(64)}`,
      created_at: '2020-01-01T00:00:00Z',
    };
    store.document = { entries: [entryOf(legacy)] };
    await expect(keys().update({ id: 'legacy', note: 'x' })).rejects.toMatchObject({
      kind: 'not_supported',
      message: expect.stringMatching(/agentctl apikey update legacy --scope app/) as string,
    });
    expect(store.written('legacy')).toEqual(legacy);
    await keys().update({ id: 'legacy', scope: 'reader' });
    expect(loaded?.keys.get('legacy')?.scope).toBe('reader');
  });

  it('of a key that is not there is not_found', async () => {
    await expect(keys().update({ id: 'none', note: 'x' })).rejects.toMatchObject({
      kind: 'not_found',
    });
    await expect(keys().revoke('none')).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('revoke', () => {
  it('takes the entry out of the file and out of what counts', async () => {
    await create('one');
    await create('two');
    expect(await keys().revoke('one')).toEqual({
      id: 'one',
      revoked_at: '2026-05-14T17:55:00.000Z',
    });
    expect(store.document.entries.map(({ id }) => id)).toEqual(['two']);
    expect([...(loaded?.keys.keys() ?? [])]).toEqual(['two']);
  });
});

describe('list', () => {
  it('has state and last use, and nothing of secrets', async () => {
    const { secret = '' } = await create('used', { expires_in_seconds: 60 });
    await create('idle');
    const legacy = {
      id: 'legacy',
      hash: `sha256:${'c'.repeat(64)}`,
      created_at: '2020-01-01T00:00:00Z',
    };
    store.document = { entries: [...store.document.entries, entryOf(legacy)] };
    const { keys: listed, last_used_since } = keys().list();
    expect(last_used_since).toBe('2026-05-14T17:00:00Z');
    expect(listed).toMatchObject([
      { id: 'used', prefix: 'sa_used_', state: 'valid', last_used_at: '2026-05-14T17:55:00.000Z' },
      { id: 'idle', state: 'valid', last_used_at: null },
      {
        id: 'legacy',
        scope: null,
        state: 'refused',
        refused_reason: expect.stringMatching(/no scope/) as string,
      },
    ]);
    const text = JSON.stringify(listed);
    for (const part of [
      secret.slice(-64),
      Buffer.from(hashOfSecret(secret)).toString('hex'),
      'cccc',
    ]) {
      expect(text).not.toContain(part);
    }
    clock.advance(60);
    expect(keys().list().keys[0]).toMatchObject({ id: 'used', state: 'expired' });
  });
});

describe('purposes of an API key', () => {
  it('are a part of what its keyrings have', async () => {
    const made = await create('one', { allowed_keyrings: ['ci'], allowed_purposes: ['sshsig'] });
    expect(made.allowed_purposes).toEqual(['sshsig']);
    await create('two', { allowed_purposes: ['jwt', 'minisign'] });
    const never = create('no', { allowed_keyrings: ['ci'], allowed_purposes: ['minisign', 'jwt'] });
    await expect(never).rejects.toMatchObject({
      kind: 'invalid_params',
      message: expect.stringContaining(
        'no keyring of the key has purpose jwt: ci has sshsig:file, minisign',
      ) as string,
    });
    expect(keys().list().keys).toHaveLength(2);
  });

  it('are what an update says, and stay where it says nothing', async () => {
    await create('one', { allowed_keyrings: ['ci'], allowed_purposes: ['minisign'] });
    const updated = await keys().update({ id: 'one', note: 'x' });
    expect(updated.allowed_purposes).toEqual(['minisign']);
    expect(loaded?.keys.get('one')?.allowedPurposes).toEqual(new Set(['minisign']));
    const refused = keys().update({ id: 'one', allowed_purposes: ['x509'] });
    await expect(refused).rejects.toMatchObject({ kind: 'invalid_params' });
    expect(
      (await keys().update({ id: 'one', allowed_purposes: null })).allowed_purposes,
    ).toBeNull();
    expect(store.written('one')).not.toHaveProperty('allowed_purposes');
  });
});
