import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseApiKeys, printApiKeys } from '../../src/access/api-keys-format.ts';
import { loadApiKeys } from '../../src/access/load-api-keys.ts';
import { AgentError } from '../../src/base/errors.ts';

const hash = `sha256:${'ab'.repeat(32)}`;
/** An entry as another program writes it. */
const whole = {
  id: 'build-farm',
  hash,
  scope: 'app',
  created_at: '2026-05-14T17:55:00.123456789+00:00',
  expires_at: '2027-01-01T00:00:00.000000001Z',
  allowed_users: ['ci'],
  allowed_machines: ['0f'.repeat(32)],
  allowed_keyrings: ['default'],
  note: 'the farm',
};
const plain = { id: 'plain', hash, scope: 'reader', created_at: '2026-05-14T17:55:00Z' };

const text = (...keys: readonly unknown[]): string => JSON.stringify({ version: 1, keys });
const parse = (written: string) => parseApiKeys(written, '/state/api-keys.json');
const nobody = { userId: () => null };
const load = (...keys: readonly unknown[]) => loadApiKeys(parse(text(...keys)), nobody);

describe('an API keys file', () => {
  it('of another program is read', () => {
    const [first, second] = parse(text(whole, plain)).entries;
    expect(first?.key).toEqual({
      id: 'build-farm',
      hash: Buffer.alloc(32, 0xab),
      scope: 'app',
      createdAt: '2026-05-14T17:55:00.123456789+00:00',
      expiresAt: '2027-01-01T00:00:00.000000001Z',
      allowedUsers: ['ci'],
      allowedMachines: ['0f'.repeat(32)],
      allowedKeyrings: ['default'],
      allowedPurposes: null,
      maxSignaturesPerSecond: null,
      maxConnections: null,
      note: 'the farm',
    });
    expect(second?.key).toMatchObject({ expiresAt: null, allowedUsers: null, note: null });
  });

  it('may have our limits, and null for what is not restricted', () => {
    const limits = { max_signatures_per_second: 5, max_connections: 2 };
    const [entry] = parse(
      text({ ...plain, ...limits, expires_at: null, allowed_users: null }),
    ).entries;
    expect(entry?.key).toMatchObject({ maxSignaturesPerSecond: 5, maxConnections: 2 });
    expect(entry?.key).toMatchObject({ expiresAt: null, allowedUsers: null });
  });

  const unnamed = { ...plain, id: undefined };
  const withoutHash = { ...plain, hash: undefined };
  it.each<[string, string, RegExp]>([
    ['no JSON', '{"version":1,', /it is not JSON/],
    ['nothing', '', /it is not JSON/],
    ['a list', '[]', /object/],
    ['no version', '{"keys":[]}', /version/],
    ['another version', '{"version":2,"keys":[]}', /version/],
    ['no keys', '{"version":1}', /keys/],
    ['another member', '{"version":1,"keys":[],"default_scope":"admin"}', /default_scope/],
    ['an entry that is none', text(plain, 'build-farm'), /keys\.1/],
    ['an entry without a name', text(plain, unnamed), /entry 2: id/],
    ['a name of another form', text({ ...plain, id: 'Build' }), /entry 1 "Build": id: must match/],
    ['no hash', text(withoutHash), /entry 1 "plain": hash/],
    ['another hash', text({ ...plain, hash: 'md5:00' }), /hash: must be sha256: and 64 hex digits/],
    ['a time that is none', text({ ...plain, created_at: 'today' }), /created_at/],
    ['a note of another type', text({ ...plain, note: 7 }), /note/],
    [
      'a scope twice',
      text(plain).replace('"scope"', '"scope":"reader","scope"'),
      /a member stands twice/,
    ],
    [
      'an expiry twice',
      text(plain).replace(
        '"scope"',
        '"expires_at":"2020-01-01T00:00:00Z","expires_at":null,"scope"',
      ),
      /a member stands twice/,
    ],
    ['keys twice', '{"version":1,"keys":[],"keys":[]}', /a member stands twice/],
    ['very deep nesting', `{"version":1,"keys":${'['.repeat(9999)}${']'.repeat(9999)}}`, /nested/],
    [
      'a name twice',
      text(plain, whole, { ...plain, scope: 'admin' }),
      /two entries have the id "plain"/,
    ],
  ])('with %s is refused whole', (_, written, why) => {
    expect(() => parse(written)).toThrow(AgentError);
    expect(() => parse(written)).toThrow(/^\/state\/api-keys\.json is refused: .*Correct it/);
    expect(() => parse(written)).toThrow(why);
  });

  it('that is refused shows nothing of its secrets', () => {
    const leaked = `sa_plain_${'0a'.repeat(32)}`;
    for (const written of [leaked, text({ ...plain, hash: leaked }), `{"version": ${leaked}`]) {
      expect(() => parse(written)).not.toThrow(/0a0a/);
      expect(() => parse(written)).toThrow();
    }
  });
});

describe('an entry is refused by name, and the others work', () => {
  it.each<[string, object, RegExp]>([
    ['no scope', { scope: undefined }, /no scope: agentctl apikey update old --scope app/],
    ['scope null', { scope: null }, /no scope/],
    ['scope none', { scope: 'none' }, /its scope is "none", and must be reader, app or admin/],
    ['an unknown scope', { scope: 'root' }, /its scope is "root"/],
    ['a scope of another type', { scope: ['admin'] }, /its scope is no text/],
    ['an unknown member', { allowed_nets: ['10.0.0.0/8'] }, /"allowed_nets".*apikey revoke old/],
    ['expiry in words', { expires_at: 'soon' }, /expires_at cannot be read.*--expires/],
    ['expiry as a number', { expires_at: 1 }, /expires_at cannot be read/],
    ['users as text', { allowed_users: 'ci' }, /allowed_users cannot be read.*--user/],
    ['users as numbers', { allowed_users: [0] }, /allowed_users cannot be read/],
    ['another fingerprint', { allowed_machines: ['host-a'] }, /allowed_machines cannot be read/],
    ['keyrings as an object', { allowed_keyrings: {} }, /allowed_keyrings cannot be read/],
    ['a limit of 0', { max_connections: 0 }, /max_connections cannot be read/],
    ['half a signature', { max_signatures_per_second: 0.5 }, /max_signatures_per_second cannot/],
  ])('%s', (_, change, why) => {
    const { keys, refused, warnings } = load({ ...whole, id: 'old', ...change }, plain);
    expect([...keys.keys()]).toEqual(['plain']);
    expect([...refused.keys()]).toEqual(['old']);
    expect(refused.get('old')).toMatch(why);
    expect(warnings).toEqual([`API key old is refused: ${refused.get('old') ?? ''}`]);
  });

  it('with every reason', () => {
    const { refused } = load({ ...plain, scope: 'root', expires_at: 'soon', proof: {} });
    expect(refused.get('plain')).toMatch(/scope.*; expires_at.*; .*"proof"/);
  });

  it('and is written again as it was', () => {
    const entries = [{ ...whole, id: 'old', scope: undefined, nested: { a: [1, null] } }, plain];
    const printed = printApiKeys(parse(text(...entries)));
    expect(JSON.parse(printed)).toEqual(JSON.parse(text(...entries)));
    expect(parse(printed)).toEqual(parse(text(...entries)));
  });
});

describe('what is loaded', () => {
  const uids: Readonly<Record<string, number>> = { ci: 1001, nightly: 1002 };
  const accounts = { userId: (name: string) => uids[name] ?? null };
  const usersOf = (allowed_users: readonly string[]) => {
    const { keys, warnings } = loadApiKeys(parse(text({ ...plain, allowed_users })), accounts);
    return { users: [...(keys.get('plain')?.users ?? ['everybody'])], warnings };
  };

  it('has users as uids', () => {
    expect(usersOf(['ci', 'nightly', '77'])).toEqual({ users: [1001, 1002, 77], warnings: [] });
  });

  it('gives nobody anything for a name that cannot be resolved, and says so', () => {
    for (const name of ['nosuch', '@ci', '', '*', '99999999999', '-1']) {
      const { users, warnings } = usersOf([name]);
      expect(users).toEqual([]);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/^API key plain: allowed_users: .*allows nobody$/);
    }
    expect(usersOf([])).toEqual({ users: [], warnings: [] });
  });

  it('expires at the first millisecond that is not before the time', () => {
    const expiry = (expires_at: string) =>
      load({ ...plain, expires_at }).keys.get('plain')?.expires;
    expect(expiry('1970-01-01T00:00:01Z')).toBe(1000);
    expect(expiry('1970-01-01T00:00:01.000000001+00:00')).toBe(1001);
    expect(expiry('1970-01-01T01:00:01.5+01:00')).toBe(1500);
  });
});

const names = fc.array(fc.string(), { maxLength: 3 });
const time = fc
  .tuple(
    fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
    fc.stringMatching(/^[0-9]{1,9}$/),
    fc.constantFrom('Z', '+00:00', '-05:30'),
  )
  .map(([date, digits, zone]) => `${date.toISOString().slice(0, 19)}.${digits}${zone}`);
const entry = fc
  .tuple(
    fc.record(
      {
        hash: fc.stringMatching(/^sha256:[0-9a-fA-F]{64}$/),
        created_at: time,
        scope: fc.constantFrom('reader', 'app', 'admin', 'none', null, 7),
        expires_at: fc.oneof(time, fc.string()),
        allowed_users: fc.oneof(names, fc.string()),
        allowed_keyrings: names,
        max_connections: fc.oneof(fc.integer(), fc.double({ noNaN: true })),
        note: fc.string(),
      },
      { requiredKeys: ['hash', 'created_at'] },
    ),
    fc.dictionary(fc.string(), fc.jsonValue()),
  )
  .map(([known, unknown]) => ({ ...unknown, ...known }));

describe('any file', () => {
  it('is written as it was read, members that nobody knows included', () => {
    const files = fc.dictionary(fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,30}$/), entry);
    fc.assert(
      fc.property(files, (made) => {
        const keys = Object.entries(made).map(([id, members]) => ({ ...members, id }));
        const written = JSON.stringify({ version: 1, keys });
        const printed = printApiKeys(parse(written));
        expect(JSON.stringify(JSON.parse(printed))).toBe(written);
        const { keys: usable, refused } = loadApiKeys(parse(printed), nobody);
        expect(usable.size + refused.size).toBe(keys.length);
      }),
    );
  });

  it('is read, or refused by an AgentError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((keys) => text(keys)),
        ),
        (any) => {
          try {
            parse(any);
          } catch (failure) {
            expect(failure).toMatchObject({ name: 'AgentError', kind: 'backend_unavailable' });
          }
        },
      ),
    );
  });
});
