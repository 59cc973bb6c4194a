import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LoadedApiKey, LoadedApiKeys } from '../../src/access/api-key.ts';
import type { Caller } from '../../src/access/caller.ts';
import { parsePurpose, type Purposes } from '../../src/access/purposes.ts';
import type { MethodFacts } from '../../src/api/methods.ts';
import { scopes, type Scope } from '../../src/api/principal.ts';
import { errorCodes } from '../../src/base/errors.ts';
import { method, outcome } from '../../src/request/method.ts';
import { methods } from '../../src/request/methods/methods.ts';
import { agentUid } from '../support/access-control.ts';
import { apiKey, apiKeys, secretOf } from '../support/api-keys.ts';
import type { Answer } from '../support/line-client.ts';
import { methodParams } from '../support/method-params.ts';
import { RequestRig } from '../support/request-rig.ts';

/** What an API key, or a user by a rule, that is for some keyrings alone may do with a method. */
type OfLimited = 'on those' | 'yes' | 'never';

/**
 * Every method, the lowest scope that may call it, what whoever is for some keyrings may do, and the purposes of which
 * one is needed (none: nothing is signed by a keyring's key for the caller). Written by hand: whoever
 * adds a method says here who is meant to have it.
 */
const table: Readonly<Record<string, readonly [Scope, OfLimited, ...string[]]>> = {
  ping: ['none', 'yes'],
  whoami: ['none', 'yes'],
  authenticate: ['none', 'yes'],
  status: ['reader', 'yes'],
  'rpc.discover': ['reader', 'yes'],
  describe_backend: ['reader', 'on those'],
  active_key_id: ['reader', 'on those'],
  public_key_b64: ['reader', 'on those'],
  list_valid_pubkeys: ['reader', 'on those'],
  verify: ['reader', 'on those'],
  jwks: ['reader', 'on those'],
  jwt_sign: ['app', 'on those', 'jwt'],
  sign_sshsig: ['app', 'on those', 'sshsig', 'sshsig:file'],
  sign_minisign: ['app', 'on those', 'minisign'],
  sign_jws: ['app', 'on those', 'jws'],
  jwt_verify: ['reader', 'on those'],
  sign: ['app', 'on those', 'raw'],
  sign_batch: ['app', 'on those', 'raw'],
  rotate: ['admin', 'on those'],
  prune_expired_grace: ['admin', 'on those'],
  prepare: ['admin', 'on those'],
  import_key: ['admin', 'on those'],
  revoke: ['admin', 'on those'],
  list_keys: ['admin', 'on those'],
  attest: ['admin', 'on those'],
  unlock: ['admin', 'on those'],
  lock: ['admin', 'on those'],
  reload: ['admin', 'never'],
  clientkey_register: ['app', 'yes'],
  clientkey_list: ['app', 'yes'],
  clientkey_show: ['app', 'yes'],
  clientkey_revoke: ['app', 'yes'],
  apikey_create: ['admin', 'never'],
  apikey_list: ['admin', 'never'],
  apikey_update: ['admin', 'never'],
  apikey_revoke: ['admin', 'never'],
  backup: ['admin', 'on those'],
  restore: ['admin', 'on those'],
  // On the keyring that [cluster] names, here `default`.
  ca_show: ['reader', 'on those'],
  ca_issue: ['admin', 'on those'],
  ca_forget: ['admin', 'on those'],
  ca_verify: ['reader', 'on those'],
  ca_bundle: ['reader', 'on those'],
  trust_import: ['admin', 'never'],
  trust_list: ['reader', 'never'],
  trust_remove: ['admin', 'never'],
  join_token_mint: ['app', 'on those', 'join-token'],
  join_token_verify: ['reader', 'on those'],
  join_token_revoke: ['admin', 'on those'],
  join_token_revocations: ['reader', 'on those'],
};

const keyrings = ['default', 'ci', 'narrow', 'absent'];
/** What `narrow` is for, whoever asks; the others are for everything. */
const narrow = ['minisign', 'sshsig:file', 'jwt'];
/** Params that are in order, but for the keyring. */
const params: Readonly<Record<string, object>> = {
  ...methodParams,
  authenticate: { api_key: secretOf('spare') },
  apikey_update: { id: 'tried', scope: 'admin' },
  apikey_revoke: { id: 'spare' },
};

/** What a call of the table may come to beside its result: there is no such thing, or it is not in this state. */
const otherwise: Readonly<Record<string, readonly string[]>> = {
  unlock: ['not_supported'],
  lock: ['not_supported'],
  attest: ['not_supported'],
  prepare: ['already_exists'],
  import_key: ['not_supported'],
};
/** What must name a key that is there. */
const ofOneKey = ['revoke', 'attest'];
/** Whose services are not part of the rig: that they are reached is enough. */
const reachedOnly = /^clientkey_|^apikey_|^ca_|^backup$|^restore$|^trust_|^join_token_/;

/** What one rule, one list or one API key gives. null: all. */
interface Given {
  readonly scope: Exclude<Scope, 'none'>;
  readonly keyrings: readonly string[] | null;
  readonly purposes: readonly string[] | null;
}

/** A connection, and what it may do. */
interface Case {
  readonly says: string;
  readonly caller: Caller;
  readonly gives: readonly Given[];
  /** The key is accepted no more. */
  readonly broken: boolean;
}

let rig: RequestRig;
beforeAll(async () => {
  rig = await new RequestRig(
    `[keyrings.default]\n[keyrings.ci]\n[keyrings.narrow]\npurposes = ${JSON.stringify(narrow)}\n`,
  ).open();
  rig.access.configure({
    ...{ readers: ['1002', '2002'], apps: ['1003', '2006'], admins: ['1004'] },
    rules: Object.entries(ruled).flatMap(([uid, gives]) =>
      gives.map(({ scope, keyrings: on, purposes }) => ({
        ...{ who: [uid], scope, keyrings: on },
        purposes: purposes && purposesOf(purposes),
      })),
    ),
  });
});
afterAll(() => rig.remove());
beforeEach(() => {
  rig.events.length = 0;
});

const peers: readonly (readonly [number, Scope])[] = [
  [1001, 'none'],
  [1002, 'reader'],
  [1003, 'app'],
  [1004, 'admin'],
  [agentUid, 'admin'],
  [0, 'admin'],
];
/** What rules give to users beside the lists, by uid. */
const ruled: Readonly<Record<number, readonly Given[]>> = {
  2001: [{ scope: 'app', keyrings: ['ci'], purposes: ['minisign', 'sshsig'] }],
  // Beside being a reader of everything.
  2002: [{ scope: 'app', keyrings: ['ci', 'narrow'], purposes: ['raw', 'jwt', 'jws'] }],
  // What one rule gives is never mixed with what another one does: no signature, and no rotation of ci.
  2003: [
    { scope: 'reader', keyrings: ['ci'], purposes: null },
    { scope: 'app', keyrings: ['ci'], purposes: ['sshsig:git'] },
    { scope: 'admin', keyrings: ['default'], purposes: [] },
  ],
  // Both together, on one keyring.
  2004: [
    { scope: 'app', keyrings: ['default', 'absent'], purposes: ['jwt', 'sshsig:file'] },
    { scope: 'app', keyrings: ['default'], purposes: ['raw', 'join-token'] },
  ],
  2005: [{ scope: 'admin', keyrings: ['narrow'], purposes: null }],
  // Beside signing with everything.
  2006: [{ scope: 'admin', keyrings: ['ci'], purposes: ['x509'] }],
  2007: [{ scope: 'app', keyrings: null, purposes: ['join-token', 'jws'] }],
};

function purposesOf(texts: readonly string[]): Purposes {
  return new Set(texts.map((text) => parsePurpose(text)).filter((one) => one !== null));
}

const keyScopes = ['reader', 'app', 'admin'] as const;
const spare = apiKey('spare', { scope: 'reader' });
const otherMachine = 'b'.repeat(64);

/** Ways in which a key `tried` is not, or no longer, what it was. */
const faults: Readonly<Record<string, (scope: LoadedApiKey['scope']) => LoadedApiKeys>> = {
  expired: (scope) => apiKeys(spare, apiKey('tried', { scope, expires: 1 })),
  gone: () => apiKeys(spare),
  replaced: (scope) => apiKeys(spare, apiKey('tried', { scope }, 2)),
  machine: (scope) => apiKeys(spare, apiKey('tried', { scope, allowedMachines: [otherMachine] })),
  user: (scope) => apiKeys(spare, apiKey('tried', { scope, users: new Set([4242]) })),
  entry: () => ({ ...apiKeys(spare), refused: new Map([['tried', 'it has no scope']]) }),
};

function everywhere(scope: Scope): readonly Given[] {
  return scope === 'none' ? [] : [{ scope, keyrings: null, purposes: null }];
}

/** Without a credential, and with one that was not accepted: both are what their user is. */
async function peerCases(): Promise<Case[]> {
  const cases: Case[] = [];
  for (const [uid, scope] of peers) {
    const common = { gives: everywhere(scope), broken: false };
    cases.push({ ...common, says: `uid ${uid}`, caller: rig.access.connect(uid) });
    for (const [fault, keys] of Object.entries(faults)) {
      const caller = rig.access.connect(uid);
      rig.access.control.keys = keys('admin');
      const attempt = rig.access.control.authenticate(caller, secretOf('tried'));
      rig.access.endPauses();
      await expect(attempt).rejects.toMatchObject({ kind: 'unauthenticated' });
      cases.push({ ...common, says: `uid ${uid} whose key was not accepted: ${fault}`, caller });
    }
  }
  rig.access.control.keys = apiKeys(spare);
  return cases;
}

const limits = [null, ['default'], ['ci'], ['default', 'ci'], ['absent'], []];

/** With API keys that hold: of every scope, for all keyrings or for some, by users who have less and more. */
async function keyCases(): Promise<Case[]> {
  const keys = keyScopes.flatMap((scope) =>
    limits.map((allowedKeyrings, at) => apiKey(`${scope}-${at}`, { scope, allowedKeyrings })),
  );
  rig.access.control.keys = apiKeys(spare, ...keys);
  const cases: Case[] = [];
  for (const key of keys) {
    for (const uid of [1001, 0]) {
      const caller = rig.access.connect(uid);
      await rig.access.control.authenticate(caller, secretOf(key.id));
      const of = key.allowedKeyrings === null ? 'all keyrings' : `[${key.allowedKeyrings.join()}]`;
      const says = `uid ${uid} with a key of scope ${key.scope} for ${of}`;
      const given = { scope: key.scope, keyrings: key.allowedKeyrings, purposes: null };
      cases.push({ says, caller, gives: [given], broken: false });
    }
  }
  return cases;
}

/** By rules, and with API keys that have purposes. */
async function purposeCases(): Promise<Case[]> {
  const cases: Case[] = Object.entries(ruled).map(([uid, gives]) => ({
    says: `uid ${uid} by rules`,
    caller: rig.access.connect(Number(uid)),
    gives: [
      ...(uid === '2002' ? everywhere('reader') : []),
      ...(uid === '2006' ? everywhere('app') : []),
      ...gives,
    ],
    broken: false,
  }));
  const some = [['raw'], ['sshsig', 'minisign'], ['sshsig:git', 'jws'], ['jwt', 'join-token'], []];
  const keys = (['app', 'admin'] as const).flatMap((scope) =>
    [null, ['ci', 'narrow']].flatMap((allowedKeyrings, at) =>
      some.map((purposes, index) => {
        const allowedPurposes = purposesOf(purposes);
        const id = `${scope}-${at}-${index}`;
        return { purposes, key: apiKey(id, { scope, allowedKeyrings, allowedPurposes }) };
      }),
    ),
  );
  rig.access.control.keys = apiKeys(spare, ...keys.map(({ key }) => key));
  for (const { key, purposes } of keys) {
    // What the user has by rules is replaced.
    const caller = rig.access.connect(2004);
    await rig.access.control.authenticate(caller, secretOf(key.id));
    const of = key.allowedKeyrings?.join() ?? 'all';
    const says = `a key of scope ${key.scope} for keyrings ${of}, purposes [${purposes.join()}]`;
    const given = { scope: key.scope, keyrings: key.allowedKeyrings, purposes };
    cases.push({ says, caller, gives: [given], broken: false });
  }
  return cases;
}

/** With API keys that held when they were given, by users who may do nothing and everything without one. */
async function brokenCases(
  fault: string,
  keys: (scope: LoadedApiKey['scope']) => LoadedApiKeys,
): Promise<Case[]> {
  const cases: Case[] = [];
  for (const scope of keyScopes) {
    for (const uid of [1001, 0]) {
      const caller = rig.access.connect(uid);
      rig.access.control.keys = apiKeys(spare, apiKey('tried', { scope }));
      await rig.access.control.authenticate(caller, secretOf('tried'));
      const says = `uid ${uid} with a key of scope ${scope} that is by now: ${fault}`;
      cases.push({ says, caller, gives: everywhere(scope), broken: true });
      rig.access.control.keys = keys(scope);
    }
  }
  return cases;
}

function reaches(scope: Scope, lowest: Scope): boolean {
  return scopes.indexOf(scope) >= scopes.indexOf(lowest);
}

interface Expected {
  readonly kind: 'unauthenticated' | 'forbidden';
  /** Where it is for a purpose: those that there are, in any order. */
  readonly purposes: readonly string[] | null;
}

/** What the table says of a call; `null`: it is let through. */
function expected(name: string, of: Case, keyring: string | undefined): Expected | null {
  if (of.broken && name !== 'authenticate') return { kind: 'unauthenticated', purposes: null };
  const [lowest, limited, ...anyOf] = table[name] ?? ['none', 'never'];
  const forbidden = { kind: 'forbidden', purposes: null } as const;
  if (lowest === 'none') return null;
  const fitting = of.gives.filter(({ scope }) => reaches(scope, lowest));
  if (fitting.length === 0) return forbidden;
  if (limited === 'yes') return null;
  const on = keyring ?? 'default';
  const there = fitting.filter(({ keyrings: those }) =>
    limited === 'never' ? those === null : (those?.includes(on) ?? true),
  );
  if (there.length === 0) return forbidden;
  if (anyOf.length === 0) return null;
  const may = there.some(
    ({ purposes }) => purposes === null || anyOf.some((one) => purposes.includes(one)),
  );
  if (may && (on !== 'narrow' || anyOf.some((one) => narrow.includes(one)))) return null;
  return { kind: 'forbidden', purposes: thoseThereAre(there, on) };
}

const all = 'raw ssh-login ssh-cert sshsig minisign jwt jws join-token x509'.split(' ');

function thoseThereAre(gives: readonly Given[], keyring: string): readonly string[] {
  const given = gives.flatMap(({ purposes }) => purposes ?? all);
  if (keyring !== 'narrow') return [...new Set(given)];
  return narrow.filter((one) => given.includes(one) || given.includes(one.split(':')[0] ?? ''));
}

/** Makes the call and compares it with the table; answers what was answered. */
async function hold(name: string, of: Case, keyring: string | undefined): Promise<Answer> {
  const says = `${name}${keyring === undefined ? '' : ` on ${keyring}`} by ${of.says}`;
  const given = {
    ...params[name],
    ...(ofOneKey.includes(name) ? { kid: await kidOf(keyring) } : {}),
  };
  const before = { signatures: rig.signatures, state: rig.state() };
  rig.used.length = 0;
  rig.events.length = 0;
  // What one may do is asked here, and not how often.
  rig.access.clock.advance(1);
  const answer = await rig.call(of.caller, name, {
    ...given,
    ...(keyring === undefined ? {} : { keyring }),
  });
  const { error } = answer;
  const kind = error?.data.kind ?? 'done';
  const refusal = expected(name, of, keyring);
  if (refusal === null) {
    const may = [
      'done',
      ...(keyring === 'absent' ? ['not_found'] : []),
      ...(otherwise[name] ?? []),
    ];
    expect(reachedOnly.test(name) ? ['not_supported'] : may, says).toContain(kind);
    return answer;
  }
  expect(kind, says).toBe(refusal.kind);
  expect(error?.code, says).toBe(errorCodes[refusal.kind]);
  if (refusal.kind === 'forbidden') expect(error?.data['needs'], says).toBe(table[name]?.[0]);
  const said = error?.data['purposes'] as readonly string[] | undefined;
  expect(said && [...said].sort(), says).toEqual(
    refusal.purposes === null ? undefined : [...refusal.purposes].sort(),
  );
  expect(rig.used, says).toEqual([]);
  expect({ signatures: rig.signatures, state: rig.state() }, says).toEqual(before);
  const recorded = { method: name, outcome: 'refused', kind: refusal.kind };
  expect(rig.events, says).toMatchObject([recorded]);
  return answer;
}

async function kidOf(keyring: string | undefined): Promise<string> {
  return keyring === 'absent' ? '00000000' : rig.activeKid(keyring ?? 'default');
}

/** Where it is said on which keyring, and where not. */
function placesOf(name: string): readonly (string | undefined)[] {
  return methods.get(name)?.reach === 'keyring' ? [undefined, ...keyrings] : [undefined];
}

test('the table has every method, and no other', () => {
  expect(Object.keys(table).sort()).toEqual([...methods.keys()].sort());
});

test('a method without a scope, a reach, or a purpose where it reaches a keyring, does not compile', () => {
  const rest = { params: {}, act: () => outcome({}) } as const;
  // @ts-expect-error -- there is no scope
  expect(method({ ...rest, reach: 'caller' }).scope).toBeUndefined();
  // @ts-expect-error -- there is no reach
  expect(method({ ...rest, scope: 'admin' }).reach).toBeUndefined();
  // @ts-expect-error -- it does not say whether it changes anything
  const facts: MethodFacts = { shownBy: null };
  expect(facts.effect).toBeUndefined();
  const of = { ...rest, scope: 'app' } as const;
  // @ts-expect-error -- it does not say what the keyring signs for
  expect(method({ ...of, reach: 'keyring' }).check({}, {} as never, {} as never).purposes).toEqual(
    [],
  );
  // @ts-expect-error -- nor this one
  expect(method({ ...of, reach: 'cluster' }).check({}, {} as never, {} as never).purposes).toEqual(
    [],
  );
  // @ts-expect-error -- not one of the purposes
  expect(method({ ...of, reach: 'keyring', purpose: 'all' }).scope).toBe('app');
  // @ts-expect-error -- not one of the scopes
  expect(method({ ...rest, reach: 'caller', scope: 'root' }).scope).toBe('root');
});

describe.each(Object.keys(table))('%s', (name) => {
  test('by users, with no key or with one that was not accepted', async () => {
    for (const one of await peerCases()) {
      for (const keyring of placesOf(name)) await hold(name, one, keyring);
    }
  });

  test('by API keys, for all keyrings and for some', async () => {
    for (const one of await keyCases()) {
      for (const keyring of placesOf(name)) await hold(name, one, keyring);
    }
  });

  test('by users whom rules give something, and by API keys with purposes', async () => {
    for (const one of await purposeCases()) {
      for (const keyring of placesOf(name)) await hold(name, one, keyring);
    }
  });

  test('by API keys that are accepted no more', async () => {
    const answers = new Set<string>();
    const reasons = new Set<string>();
    for (const [fault, keys] of Object.entries(faults)) {
      for (const one of await brokenCases(fault, keys)) {
        for (const keyring of placesOf(name)) {
          const { error } = await hold(name, one, keyring);
          answers.add(JSON.stringify(error));
          reasons.add(rig.events[0]?.reason ?? '');
        }
      }
    }
    if (name === 'authenticate') return;
    // The caller is not told what is wrong with it; the auditor is.
    expect(answers.size).toBe(1);
    expect([...reasons].map((reason) => reason.split(':')[0])).toEqual([
      ...['expired', 'gone', 'replaced', 'machine', 'user'],
    ]);
  });
});
