import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  common,
  covers,
  inWords,
  listed,
  parsePurpose,
  purposeKinds,
  purposeNames,
  union,
  type Purpose,
  type Purposes,
} from '../../src/access/purposes.ts';

const set = (...purposes: Purpose[]): Purposes => new Set(purposes);

describe('a purpose', () => {
  test('is one of the table, or sshsig for a namespace', () => {
    expect(Object.keys(purposeKinds).sort()).toEqual([...purposeNames].sort());
    for (const name of purposeNames) expect(parsePurpose(name)).toBe(name);
    for (const text of ['sshsig:file', 'sshsig:a b', 'sshsig:git:x', 'sshsig:mü']) {
      expect(parsePurpose(text)).toBe(text);
    }
    const none = [
      '',
      'all',
      'RAW',
      ' raw',
      'sshsig:',
      'jwt:x',
      'raw:x',
      'sshsig:a\nb',
      'sshsig:\0',
    ];
    const strange = ['sshsig:\ud800', `sshsig:${'x'.repeat(256)}`, 'toString', 'sshsig:\u2028'];
    for (const text of [...none, ...strange]) expect(parsePurpose(text), text).toBeNull();
  });

  test('does not compile without an entry of the table', () => {
    const { raw, ...rest } = purposeKinds;
    expect(raw.recognise).toBeNull();
    // @ts-expect-error -- there is no entry for raw
    const table: typeof purposeKinds = rest;
    expect(Object.keys(table)).not.toContain('raw');
  });
});

describe('sets of purposes', () => {
  test('sshsig covers every namespace, and a namespace itself alone', () => {
    expect(covers(set('sshsig'), 'sshsig:file')).toBe(true);
    expect(covers(set('sshsig:file'), 'sshsig:file')).toBe(true);
    expect(covers(set('sshsig:file'), 'sshsig:git')).toBe(false);
    expect(covers(set('sshsig:file'), 'sshsig')).toBe(false);
    expect(covers(set('sshsig'), 'ssh-login')).toBe(false);
    expect(covers(null, 'x509')).toBe(true);
    expect(covers(set(), 'raw')).toBe(false);
  });

  test('what is in both is what both cover', () => {
    expect(common(set('sshsig', 'raw'), set('sshsig:file', 'jwt'))).toEqual(set('sshsig:file'));
    expect(common(null, set('jwt'))).toEqual(set('jwt'));
    expect(common(set('jwt'), null)).toEqual(set('jwt'));
    expect(common(null, null)).toBeNull();
    expect(common(set('jwt'), set('jws'))).toEqual(set());
  });

  test('by chance: common is covered by both, union covers each', () => {
    const some: readonly Purpose[] = ['raw', 'sshsig', 'sshsig:a', 'sshsig:b', 'jwt'];
    const given = fc.option(fc.subarray([...some]).map((list) => set(...list)));
    fc.assert(
      fc.property(given, given, fc.constantFrom(...some), (one, other, asked) => {
        const both = covers(one, asked) && covers(other, asked);
        expect(covers(common(one, other), asked)).toBe(both);
        expect(covers(union([one, other]), asked)).toBe(covers(one, asked) || covers(other, asked));
      }),
    );
  });

  test('are listed in the order of the table', () => {
    expect(listed(set('jwt', 'minisign', 'sshsig:b', 'raw', 'sshsig:a'))).toEqual([
      ...['raw', 'sshsig:a', 'sshsig:b', 'minisign', 'jwt'],
    ]);
    expect(listed(null)).toEqual(purposeNames);
    expect([inWords(null), inWords(set()), inWords(set('jwt', 'raw'))]).toEqual([
      ...['all', 'none', 'raw, jwt'],
    ]);
  });
});
