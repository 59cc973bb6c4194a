import { describe, expect, test } from 'vitest';
import { authorizeHandingOn } from '../../src/access/authorize.ts';
import { grantOf, type Allowance } from '../../src/access/grant.ts';
import type { Purpose, Purposes } from '../../src/access/purposes.ts';

const set = (...purposes: Purpose[]): Purposes => new Set(purposes);
const admin = { scope: 'admin', reach: 'agent' } as const;

function handOn(allowances: readonly Allowance[], purposes: Purposes): void {
  const principal = { kind: 'user', name: 'ada', uid: 1001, pid: 1, scope: 'none' } as const;
  const grant = grantOf(principal, allowances, { bounds: new Map(), signaturesPerSecond: null });
  authorizeHandingOn(grant, 'apikey_create', admin, purposes);
}

const all: Allowance = { scope: 'admin', keyrings: null, purposes: null };
const some: Allowance = { scope: 'admin', keyrings: null, purposes: set('minisign', 'sshsig') };

describe('the purposes of an API key, by who makes it', () => {
  test('are any, where that one has all', () => {
    for (const purposes of [null, set('raw'), set()]) {
      expect(() => {
        handOn([all], purposes);
        handOn([some, all], purposes);
      }).not.toThrow();
    }
  });

  test('are a part of what that one has', () => {
    for (const purposes of [set(), set('minisign'), set('sshsig:file', 'sshsig')]) {
      expect(() => {
        handOn([some], purposes);
      }).not.toThrow();
    }
  });

  test.each<[string, readonly Allowance[], Purposes, RegExp]>([
    ['all', [some], null, /the key would have all purposes; ada \(uid 1001\) has sshsig, minisign/],
    ['another one', [some], set('raw', 'minisign'), /the key would have purpose raw;/],
    // What the maker has as somebody who signs, or on some keyrings, is not the maker's to hand on.
    ['those of a signer', [some, { ...all, scope: 'app' }], null, /all purposes/],
    ['those of one keyring', [some, { ...all, keyrings: new Set(['ci']) }], null, /all purposes/],
  ])('are never %s', (_, allowances, purposes, why) => {
    const attempt = (): void => {
      handOn(allowances, purposes);
    };
    expect(attempt).toThrow(why);
    expect(attempt).toThrow(
      expect.objectContaining({
        kind: 'forbidden',
        details: { needs: 'admin', purposes: ['sshsig', 'minisign'] },
      }),
    );
  });
});
