import { describe, expect, test } from 'vitest';
import {
  allowancesOf,
  resolveRules,
  scopeOf,
  userIdOf,
  type AccessNames,
  type Accounts,
} from '../../src/access/access-rules.ts';
import type { ProcessPeer } from '../../src/access/principal.ts';
import type { Scope } from '../../src/api/principal.ts';

const users: Readonly<Record<string, number>> = { root: 0, ada: 1001, bob: 1002, '1002': 1003 };
const groups: Readonly<Record<string, number>> = { root: 0, signers: 2001, ci: 2002, '2001': 2003 };
const asked: string[] = [];
const accounts: Accounts = {
  userId: (name) => {
    asked.push(name);
    return users[name] ?? null;
  },
  groupId: (name) => {
    asked.push(`@${name}`);
    return groups[name] ?? null;
  },
};
const agentUid = 900;

function rulesOf(names: Partial<AccessNames>) {
  return resolveRules({ admins: [], apps: [], readers: [], ...names }, agentUid, accounts);
}

function peer(uid: number, gid = uid, more: readonly number[] = []): ProcessPeer {
  return { kind: 'process', uid, gid, pid: 4711, groups: more, name: null, executable: null };
}

function scope(names: Partial<AccessNames>, who: ProcessPeer): Scope {
  return scopeOf(who, rulesOf(names));
}

describe('who is what', () => {
  test('nobody is listed: root and the user of the agent are admin, everybody else is nothing', () => {
    expect(scope({}, peer(0))).toBe('admin');
    expect(scope({}, peer(agentUid))).toBe('admin');
    for (const uid of [1, 901, 1001, 65534, 0xffff_fffe]) expect(scope({}, peer(uid))).toBe('none');
    // The group of root, and one with the number of the agent's user, are groups like others.
    expect(scope({}, peer(1001, 0, [0, agentUid]))).toBe('none');
  });

  test('users by name and by number', () => {
    for (const entry of ['ada', '1001']) {
      expect(scope({ apps: [entry] }, peer(1001))).toBe('app');
      expect(scope({ apps: [entry] }, peer(1002))).toBe('none');
      // A user's name says nothing of the group with the same number.
      expect(scope({ apps: [entry] }, peer(1002, 1001, [1001]))).toBe('none');
    }
  });

  test('groups by name and by number, the first one and the others', () => {
    for (const entry of ['@signers', '@2001']) {
      expect(scope({ readers: [entry] }, peer(1001, 2001))).toBe('reader');
      expect(scope({ readers: [entry] }, peer(1001, 1001, [4, 2001, 7]))).toBe('reader');
      expect(scope({ readers: [entry] }, peer(1001, 1001, [4, 7]))).toBe('none');
      // Nor the other way round.
      expect(scope({ readers: [entry] }, peer(2001, 1))).toBe('none');
    }
  });

  test('* is everybody', () => {
    for (const who of [peer(1), peer(65534, 65534), peer(0xffff_fffe)]) {
      expect(scope({ readers: ['*'] }, who)).toBe('reader');
      expect(scope({ apps: ['*'] }, who)).toBe('app');
    }
    expect(rulesOf({ readers: ['*'] }).warnings).toEqual([]);
  });

  test.each<[Partial<AccessNames>, Scope]>([
    [{ readers: ['ada'], apps: ['@signers'], admins: ['1001'] }, 'admin'],
    [{ readers: ['ada'], apps: ['@signers'], admins: ['bob'] }, 'app'],
    [{ readers: ['*'], apps: ['@ci'], admins: ['bob'] }, 'reader'],
    [{ readers: ['*'], admins: ['@2001'] }, 'admin'],
    [{ apps: ['*'], readers: ['ada'] }, 'app'],
    [{ admins: ['@ci'], apps: ['bob'] }, 'none'],
  ])('%j: the highest counts', (names, expected) => {
    expect(scope(names, peer(1001, 1001, [2001]))).toBe(expected);
  });
});

describe('names that cannot be resolved', () => {
  test('allow nobody, and are said', () => {
    const { warnings, members } = rulesOf({
      admins: ['nobody-here'],
      apps: ['@no-group', 'ada'],
      readers: ['ghost', '@ghosts', '*'],
    });
    expect(warnings).toEqual([
      'access.admins: there is no user "nobody-here" here, so it allows nobody',
      'access.apps: there is no group "no-group" here, so it allows nobody',
      'access.readers: there is no user "ghost" here, so it allows nobody',
      'access.readers: there is no group "ghosts" here, so it allows nobody',
    ]);
    expect([...members.admin.uids, ...members.admin.gids]).toEqual([]);
    expect([...members.app.uids]).toEqual([1001]);
    // Above all not root, whose number is 0.
    expect(scope({ apps: ['nobody-here'] }, peer(65534))).toBe('none');
  });

  test('a user is not looked for among the groups, nor a group among the users', () => {
    expect(rulesOf({ apps: ['signers'] }).warnings).toHaveLength(1);
    expect(rulesOf({ apps: ['@ada'] }).warnings).toHaveLength(1);
  });

  test('a number that no user can have', () => {
    // The last one means "leave it as it is" to the kernel; a longer one would be cut.
    for (const id of ['4294967295', '4294967296', '9999999999', '@4294967295']) {
      expect(rulesOf({ apps: [id] }).warnings).toHaveLength(1);
    }
    expect(scope({ apps: ['4294967294'] }, peer(4_294_967_294))).toBe('app');
  });
});

describe('numbers', () => {
  test('are never looked up as names: a user could have been given that name', () => {
    asked.length = 0;
    expect(scope({ apps: ['1002'] }, peer(1002))).toBe('app');
    expect(scope({ apps: ['1002'] }, peer(1003))).toBe('none');
    expect(scope({ apps: ['@2001'] }, peer(1, 2003))).toBe('none');
    expect(userIdOf('1002', accounts)).toBe(1002);
    expect(asked).toEqual([]);
  });

  test('are decimal: whatever looks otherwise is a name', () => {
    asked.length = 0;
    const odd = ['0x0', '00', '01001', '1e3', '-1', '+0', '12345678901'];
    expect(rulesOf({ apps: odd }).warnings).toHaveLength(odd.length);
    expect(asked).toEqual(odd);
  });
});

test('names mean what they meant when they were resolved', () => {
  const changing = new Map([['ada', 1001]]);
  const rules = resolveRules({ admins: [], apps: ['ada'], readers: [] }, agentUid, {
    userId: (name) => changing.get(name) ?? null,
    groupId: () => null,
  });
  changing.set('ada', 1002);
  expect(scopeOf(peer(1001), rules)).toBe('app');
  expect(scopeOf(peer(1002), rules)).toBe('none');
});

describe('rules', () => {
  const minisign = new Set(['minisign'] as const);
  const rules = rulesOf({
    readers: ['ada'],
    rules: [
      { who: ['ada', '@ci'], scope: 'app', keyrings: ['ci'], purposes: minisign },
      { who: ['1002'], scope: 'admin', keyrings: ['ci', 'x'], purposes: null },
      { who: ['*'], scope: 'reader', keyrings: ['pub'], purposes: null },
      { who: ['ghost', '@ghosts'], scope: 'admin', keyrings: null, purposes: null },
    ],
  });
  const pub = { scope: 'reader', keyrings: new Set(['pub']), purposes: null };
  const ci = { scope: 'app', keyrings: new Set(['ci']), purposes: minisign };
  const everything = { scope: 'admin', keyrings: null, purposes: null };

  test('each gives what it says, beside the lists, to whom it names', () => {
    const ofLists = { scope: 'reader', keyrings: null, purposes: null };
    expect(allowancesOf(peer(1001), rules)).toEqual([ofLists, ci, pub]);
    expect(allowancesOf(peer(1, 1, [2002]), rules)).toEqual([ci, pub]);
    const admin = { scope: 'admin', keyrings: new Set(['ci', 'x']), purposes: null };
    expect(allowancesOf(peer(1002), rules)).toEqual([admin, pub]);
    expect(allowancesOf(peer(65_534), rules)).toEqual([pub]);
  });

  test('are nothing to root, to the user of the agent, and to clients of the network', () => {
    for (const uid of [0, agentUid]) expect(allowancesOf(peer(uid), rules)).toEqual([everything]);
    const network = { kind: 'network', address: '192.0.2.7:1', scope: 'none' } as const;
    expect(allowancesOf(network, rules)).toEqual([]);
  });

  test('with names that cannot be resolved allow nobody, and are said', () => {
    expect(rules.warnings).toEqual([
      'access.rules.3.who: there is no user "ghost" here, so it allows nobody',
      'access.rules.3.who: there is no group "ghosts" here, so it allows nobody',
    ]);
  });
});
