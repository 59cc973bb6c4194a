import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { agentctl, type Session } from '../support/cli-session.ts';

const dir = mkdtempSync(join(tmpdir(), 'cli-verify-'));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

let files = 0;
function file(content: string | Buffer): string {
  const path = join(dir, `f${files++}`);
  writeFileSync(path, content);
  return path;
}

const message = file('a message');
const ed = generateKeyPairSync('ed25519');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const edRaw = ed.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
const ecRaw = ec.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65);
const edSignature = sign(null, Buffer.from('a message'), ed.privateKey);
const ecSignature = sign('sha256', Buffer.from('a message'), {
  key: ec.privateKey,
  dsaEncoding: 'ieee-p1363',
});

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const jwk = (key: KeyObject): string => JSON.stringify(key.export({ format: 'jwk' }));
function ssh(type: string, ...parts: Buffer[]): string {
  const strings = [Buffer.from(type), ...parts].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `${type} ${Buffer.concat(strings).toString('base64')} ann@host`;
}

const edFile = file(edSignature);
const ecFile = file(ecSignature);

function check(publicKey: string, signature = edFile): Promise<Session> {
  return agentctl(['verify', message, '--signature', signature, '--public-key', publicKey]);
}

describe('verify --public-key', () => {
  const edForms: [string, string][] = [
    ['base64url', edRaw.toString('base64url')],
    ['standard base64', edRaw.toString('base64')],
    ['a file of base64', file(`${edRaw.toString('base64')}\n`)],
    ['a file of raw bytes', file(edRaw)],
    ['a PEM file', file(pem(ed.publicKey))],
    ['PEM itself', pem(ed.publicKey)],
    ['a JWK file', file(jwk(ed.publicKey))],
    ['a JWK itself', jwk(ed.publicKey)],
    ['an ssh line', ssh('ssh-ed25519', edRaw)],
    ['an ssh file', file(`${ssh('ssh-ed25519', edRaw)}\n`)],
  ];
  it.each(edForms)('takes %s for Ed25519', async (_, key) => {
    expect(await check(key)).toMatchObject({ code: 0, err: '' });
  });

  const ecForms: [string, string][] = [
    ['base64url', ecRaw.toString('base64url')],
    ['a PEM file', file(pem(ec.publicKey))],
    ['a JWK file', file(jwk(ec.publicKey))],
    ['an ssh line', ssh('ecdsa-sha2-nistp256', Buffer.from('nistp256'), ecRaw)],
  ];
  it.each(ecForms)('takes %s for ES256', async (_, key) => {
    expect(await check(key, ecFile)).toMatchObject({ code: 0, err: '' });
  });

  const signatures: [string, string | Buffer][] = [
    ['base64url', edSignature.toString('base64url')],
    ['base64 with a newline', `${edSignature.toString('base64')}\n`],
    ['base64 in short lines', edSignature.toString('base64').replace(/.{20}/g, '$&\r\n')],
    ['JSON', JSON.stringify({ kid: '00000000', signature_b64: edSignature.toString('base64url') })],
  ];
  it.each(signatures)('takes a signature as %s', async (_, content) => {
    expect(await check(edRaw.toString('base64url'), file(content))).toMatchObject({ code: 0 });
  });

  it('says which key signed, and --json says it as the wire does', async () => {
    const given = ['verify', message, '--signature', edFile, '--public-key', pem(ed.publicKey)];
    expect((await agentctl(given)).out).toMatch(
      /^valid: signed by [0-9a-f]{8} \(the public key that was given\)\n$/,
    );
    const { out } = await agentctl(['--json', ...given]);
    expect(JSON.parse(out)).toEqual({
      valid: true,
      kid: expect.stringMatching(/^[0-9a-f]{8}$/) as string,
    });
  });

  it('exits 5 where the signature does not verify', async () => {
    const wrong = Buffer.from(edSignature);
    wrong[0] = (wrong[0] ?? 0) ^ 1;
    const key = edRaw.toString('base64url');
    for (const content of [wrong, edSignature.subarray(0, 63), Buffer.alloc(0), Buffer.from('{')]) {
      const session = await check(key, file(content));
      expect(session).toMatchObject({ code: 5, err: '' });
      expect(session.out).toMatch(/^not valid: /);
    }
    expect((await check(ecRaw.toString('base64url'))).code).toBe(5);
  });

  const points: [string, Buffer][] = [
    ['of small order', Buffer.concat([Buffer.of(1), Buffer.alloc(31)])],
    ['not canonical', Buffer.alloc(32, 0xff)],
    ['not on P-256', Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)])],
  ];
  it.each(points)('exits 5 for a key that is no acceptable point: %s', async (_, bytes) => {
    const session = await check(bytes.toString('base64url'));
    expect(session.code).toBe(5);
    expect(session.out).toContain('not an acceptable');
  });

  const x25519 = generateKeyPairSync('x25519').publicKey;
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const unusable: [string, string, RegExp][] = [
    ['neither key nor file', 'nothing', /neither a key nor a file/],
    ['a file of something else', file('hello there'), /no public key/],
    ['an X25519 PEM', file(pem(x25519)), /only Ed25519 and P-256/],
    ['a P-384 JWK', jwk(p384), /another kind/],
    [
      'a certificate',
      file('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      /openssl/,
    ],
    ['a JWK for encryption', JSON.stringify({ kty: 'OKP', crv: 'Ed25519', use: 'enc' }), /"use"/],
    [
      'a JWK with a foreign alg',
      JSON.stringify({ kty: 'OKP', crv: 'Ed25519', alg: 'none' }),
      /"alg"/,
    ],
    ['an RSA ssh line', ssh('ssh-rsa', Buffer.of(1), Buffer.of(1)), /ssh key of another kind/],
    [
      'an ssh line whose types differ',
      `ssh-ed25519 ${ssh('ssh-rsa').split(' ')[1] ?? ''}`,
      /decoded/,
    ],
  ];
  it.each(unusable)('exits 2 for %s', async (_, key, why) => {
    const session = await check(key);
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toMatch(why);
  });

  it('refuses a private key and says what to make of it', async () => {
    const pkcs8 = ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const sec1 = ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString();
    for (const key of [file(pkcs8), sec1, file(jwk(ed.privateKey))]) {
      const session = await check(key);
      expect(session.code).toBe(2);
      expect(session.err).toContain('PRIVATE key');
      expect(session.err).not.toContain(jwk(ed.privateKey).slice(20, 60));
    }
  });

  it('goes with no --kid, and needs a signature that can be read', async () => {
    const key = edRaw.toString('base64url');
    const both = await agentctl([
      'verify',
      message,
      '--signature',
      edFile,
      '--public-key',
      key,
      '--kid',
      'x',
    ]);
    expect(both.code).toBe(2);
    expect((await agentctl(['verify', message])).err).toContain(
      "'--signature <file>' not specified",
    );
    expect((await check(key, join(dir, 'none'))).code).toBe(2);
    expect((await check(key, file('{"kid":"x"}'))).err).toContain('no signature_b64');
    expect((await agentctl(['verify', '--signature', '-', '--public-key', key])).code).toBe(2);
  });
});
