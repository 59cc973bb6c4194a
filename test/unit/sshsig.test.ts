import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeSshsig, encodeSshsig, sshsigMessage } from '../../src/formats/ssh/sshsig.ts';
import { SshFormatError } from '../../src/formats/ssh/wire.ts';
import { agentctl, type Session } from '../support/cli-session.ts';

const dir = mkdtempSync(join(tmpdir(), 'sshsig-'));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

const message = file('message', 'a message');
const context = { namespace: 'file', reserved: Buffer.alloc(0), hash: 'sha512' } as const;
const digest = createHash('sha512').update('a message').digest();
const toBeSigned = sshsigMessage(context, digest);
const ed = generateKeyPairSync('ed25519');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const edRaw = ed.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
const ecRaw = ec.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65);
const signatures = {
  ed25519: encodeSshsig(
    { algorithm: 'ed25519', bytes: edRaw },
    context,
    sign(null, toBeSigned, ed.privateKey),
  ),
  es256: encodeSshsig(
    { algorithm: 'es256', bytes: ecRaw },
    context,
    sign('sha256', toBeSigned, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
  ),
};
const keys = { ed25519: edRaw.toString('base64url'), es256: ecRaw.toString('base64url') };

function verify(algorithm: 'ed25519' | 'es256', armored: string | Buffer): Promise<Session> {
  const signature = file('signature', armored);
  const key = keys[algorithm];
  return agentctl(['verify', message, '--signature', signature, '--public-key', key]);
}
const body = (armored: string): string => armored.split('\n').slice(1, -2).join('');
const blobOf = (armored: string): Buffer => Buffer.from(body(armored), 'base64');
const armor = (blob: Buffer, end = '\n'): string =>
  [
    '-----BEGIN SSH SIGNATURE-----',
    blob.toString('base64'),
    '-----END SSH SIGNATURE-----',
    '',
  ].join(end);

describe.each(['ed25519', 'es256'] as const)('an ssh signature of %s', (algorithm) => {
  const armored = signatures[algorithm];

  it('verifies as it is, in lines of any length, and with CRLF', async () => {
    const blob = blobOf(armored);
    for (const text of [armored, armor(blob), armor(blob, '\r\n'), `${armored}\n\r\n \n`]) {
      expect((await verify(algorithm, text)).code).toBe(0);
    }
  });

  it('does not verify where any byte was changed', async () => {
    const blob = blobOf(armored);
    for (const at of blob.keys()) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const session = await verify(algorithm, armor(changed));
      expect(session, `byte ${at}`).toMatchObject({ code: 5, err: '' });
      expect(session.out).toMatch(/^not valid: /);
    }
  });

  it('is refused where it was cut, wherever', () => {
    for (const at of armored.slice(0, -1).split('').keys()) {
      expect(() => decodeSshsig(armored.slice(0, at)), `${at}`).toThrow(SshFormatError);
    }
    const blob = blobOf(armored);
    for (const at of blob.keys()) {
      expect(() => decodeSshsig(armor(blob.subarray(0, at)))).toThrow(SshFormatError);
    }
  });
});

describe('an ssh signature that is none', () => {
  const blob = blobOf(signatures.ed25519);
  const refused: [string, string, RegExp][] = [
    ['with bytes behind the end', armor(Buffer.concat([blob, Buffer.of(0)])), /bytes behind/],
    ['with text behind the end', `${signatures.ed25519}x`, /does not end/],
    ['twice', signatures.ed25519 + signatures.ed25519, /base64 cannot be decoded/],
    ['without an end', signatures.ed25519.slice(0, -28), /does not end/],
    ['in URL-safe base64', armor(blob).replace('AAA', 'AA-'), /base64/],
    ['empty', armor(Buffer.alloc(0)), /no signature/],
    ['of version 2', armor(Buffer.from(blob).fill(2, 9, 10)), /version 2/],
    [
      'without a namespace',
      encodeSshsig(
        { algorithm: 'ed25519', bytes: edRaw },
        { ...context, namespace: '' },
        Buffer.alloc(64),
      ),
      /namespace is empty/,
    ],
    [
      'of another hash',
      encodeSshsig(
        { algorithm: 'ed25519', bytes: edRaw },
        { ...context, hash: 'sha1' as 'sha256' },
        Buffer.alloc(64),
      ),
      /neither sha256 nor sha512/,
    ],
    [
      'by a key of one type with a signature of another',
      armor(
        Buffer.concat([
          blob.subarray(0, 10 + 4 + 51),
          blobOf(signatures.es256).subarray(10 + 4 + 104),
        ]),
      ),
      /none by a key of its type/,
    ],
  ];
  it.each(refused)('is refused %s', async (_, armored, why) => {
    const session = await verify('ed25519', armored);
    expect(session).toMatchObject({ code: 5, err: '' });
    expect(session.out).toMatch(why);
  });

  it('is not read for ever', async () => {
    const huge = `-----BEGIN SSH SIGNATURE-----\n${'A'.repeat(1 << 20)}`;
    expect((await verify('ed25519', huge)).err).toContain('longer than 65536 bytes');
  });

  it('is an SshFormatError, whatever it is', () => {
    const armored = fc.uint8Array({ maxLength: 300 }).map((bytes) => armor(Buffer.from(bytes)));
    const begun = fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => armor(Buffer.concat([blob.subarray(0, 10), bytes])));
    fc.assert(
      fc.property(fc.oneof(armored, begun, fc.string()), (text) => {
        expect(() => decodeSshsig(text)).toThrow(SshFormatError);
      }),
    );
  });
});

describe('encoding', () => {
  it('is read back as it was, and covers what nobody understands yet', () => {
    const parts = fc.record({
      namespace: fc.string({ minLength: 1, unit: 'grapheme' }),
      reserved: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      hash: fc.constantFrom('sha256' as const, 'sha512' as const),
    });
    fc.assert(
      fc.property(parts, (given) => {
        const key = { algorithm: 'ed25519', bytes: edRaw } as const;
        const read = decodeSshsig(encodeSshsig(key, given, Buffer.alloc(64, 1)));
        expect(read).toMatchObject(given);
        const other = { ...given, reserved: Buffer.concat([given.reserved, Buffer.of(0)]) };
        expect(sshsigMessage(given, digest).equals(sshsigMessage(other, digest))).toBe(false);
      }),
    );
  });
});
