import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readHostKey, requireCertified, type HostKey } from '../../src/formats/ssh/host-key.ts';
import { blobVerifies } from '../../src/formats/ssh/verification-key.ts';
import { mpint, SshFormatError, sshString } from '../../src/formats/ssh/wire.ts';
import { OpensshKeys } from '../support/openssh-keys.ts';
import { SecurityKey, securityKeyTypes } from '../support/security-key.ts';

let keys: OpensshKeys;
beforeAll(() => {
  keys = new OpensshKeys();
});
afterAll(() => {
  keys.remove();
});

const hostKeyVerifies = (key: Buffer, signature: Buffer, data: Buffer): boolean =>
  blobVerifies(readHostKey(key).key, signature, data);

async function certified(blob: Buffer): Promise<HostKey> {
  const key = readHostKey(blob);
  await requireCertified(key);
  return key;
}

/** Verifies, or is refused: what is not a signature never passes. */
function passes(key: Buffer, signature: Buffer, data: Buffer): boolean {
  try {
    return hostKeyVerifies(key, signature, data);
  } catch (failure) {
    expect(failure).toBeInstanceOf(SshFormatError);
    return false;
  }
}

describe.each([
  ['ed25519', ['-t', 'ed25519']],
  ['ECDSA on P-256', ['-t', 'ecdsa', '-b', '256']],
  ['ECDSA on P-384', ['-t', 'ecdsa', '-b', '384']],
  ['ECDSA on P-521', ['-t', 'ecdsa', '-b', '521']],
  ['RSA with SHA-512', ['-t', 'rsa', '-b', '2048']],
])('%s', (_kind, options) => {
  test("OpenSSH's signature verifies; changed anywhere, or cut off, nothing does", () => {
    const { publicKey, signature, data } = keys.sign(keys.make(...options), 'session');
    expect(hostKeyVerifies(publicKey, signature, data)).toBe(true);
    const changed = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    for (let at = 0; at < data.length; at += 7) {
      expect(passes(publicKey, signature, changed(data, at))).toBe(false);
    }
    for (let at = 0; at < signature.length; at += 1) {
      expect(passes(publicKey, changed(signature, at), data)).toBe(false);
      expect(passes(publicKey, signature.subarray(0, at), data)).toBe(false);
    }
    for (let at = 0; at < publicKey.length; at += 1) {
      expect(passes(changed(publicKey, at), signature, data)).toBe(false);
      expect(passes(publicKey.subarray(0, at), signature, data)).toBe(false);
    }
    expect(passes(Buffer.concat([publicKey, Buffer.of(0)]), signature, data)).toBe(false);
    expect(passes(publicKey, Buffer.concat([signature, Buffer.of(0)]), data)).toBe(false);
  });

  test("another key's signature does not verify", () => {
    const { publicKey } = keys.sign(keys.make(...options), 'session');
    const { signature, data } = keys.sign(keys.make(...options), 'session');
    expect(hostKeyVerifies(publicKey, signature, data)).toBe(false);
  });
});

describe('RSA', () => {
  const blobOf = (modulusLength: number) => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
    const { e = '', n = '' } = publicKey.export({ format: 'jwk' });
    const numbers = [e, n].map((number) => mpint(Buffer.from(number, 'base64url')));
    return { privateKey, blob: Buffer.concat([sshString('ssh-rsa'), ...numbers]) };
  };
  const data = createHash('sha256').update('session').digest();

  test('with SHA-256 verifies, under the name of that alone; SHA-1 is none', () => {
    const { privateKey, blob } = blobOf(2048);
    const signed = (hash: string, type: string): Buffer =>
      Buffer.concat([sshString(type), sshString(sign(hash, data, privateKey))]);
    expect(hostKeyVerifies(blob, signed('sha256', 'rsa-sha2-256'), data)).toBe(true);
    expect(hostKeyVerifies(blob, signed('sha256', 'rsa-sha2-512'), data)).toBe(false);
    expect(() => hostKeyVerifies(blob, signed('sha1', 'ssh-rsa'), data)).toThrow(SshFormatError);
  });

  test('a key of 1024 bits is taken, a shorter one is not', () => {
    for (const [bits, taken] of [
      [1024, true],
      [768, false],
    ] as const) {
      const { privateKey, blob } = blobOf(bits);
      const signature = sign('sha256', data, privateKey);
      const both = Buffer.concat([sshString('rsa-sha2-256'), sshString(signature)]);
      expect(passes(blob, both, data)).toBe(taken);
    }
  });

  test('a number as long as a message is no key', () => {
    const number = mpint(Buffer.alloc(200_000, 0x7f));
    const blob = Buffer.concat([sshString('ssh-rsa'), mpint(Buffer.of(1, 0, 1)), number]);
    const signature = Buffer.concat([sshString('rsa-sha2-256'), sshString(Buffer.alloc(256))]);
    expect(() => hostKeyVerifies(blob, signature, data)).toThrow(SshFormatError);
  });
});

describe.each(securityKeyTypes)('a security key of type %s', (type) => {
  const data = createHash('sha256').update('session').digest();

  test('verifies; changed anywhere, nothing does', () => {
    const key = new SecurityKey(type);
    const signature = key.sign(data);
    expect(hostKeyVerifies(key.blob, signature, data)).toBe(true);
    for (const [at, byte] of signature.entries()) {
      const changed = Buffer.from(signature);
      changed[at] = byte ^ 1;
      expect(passes(key.blob, changed, data)).toBe(false);
      expect(passes(key.blob, signature.subarray(0, at), data)).toBe(false);
    }
    for (const [at, byte] of key.blob.entries()) {
      const changed = Buffer.from(key.blob);
      changed[at] = byte ^ 1;
      expect(passes(changed, signature, data)).toBe(false);
    }
    expect(passes(new SecurityKey(type).blob, signature, data)).toBe(false);
  });
});

describe.each([
  ['ed25519', ['-t', 'ed25519']],
  ['ECDSA on P-256', ['-t', 'ecdsa', '-b', '256']],
  ['ECDSA on P-384', ['-t', 'ecdsa', '-b', '384']],
  ['ECDSA on P-521', ['-t', 'ecdsa', '-b', '521']],
  ['RSA', ['-t', 'rsa', '-b', '2048']],
])('a certificate of a host key, %s', (_kind, options) => {
  test('is of the key in it, by whatever authority; changed anywhere it is none', async () => {
    const path = keys.make(...options);
    const { publicKey, signature, data } = keys.sign(path, 'session');
    for (const authority of [keys.make('-t', 'ed25519'), keys.make(...options)]) {
      const blob = keys.certify(
        authority,
        path,
        '-h',
        '-n',
        'host.example',
        '-O',
        'extension:x@y=z',
      );
      const host = await certified(blob);
      expect(host.plain).toEqual(publicKey);
      expect(blobVerifies(host.key, signature, data)).toBe(true);
      for (const [at, byte] of blob.entries()) {
        const changed = Buffer.from(blob);
        changed[at] = byte ^ 1;
        await expect(certified(changed)).rejects.toThrow(SshFormatError);
        expect(() => readHostKey(blob.subarray(0, at))).toThrow(SshFormatError);
      }
      expect(() => readHostKey(Buffer.concat([blob, Buffer.of(0)]))).toThrow(SshFormatError);
    }
  });

  test('of a user is none of a host', () => {
    const blob = keys.certify(keys.make('-t', 'ed25519'), keys.make(...options), '-n', 'ann');
    expect(() => readHostKey(blob)).toThrow('not of a host');
  });
});

test('RSA has at most 4,096 bits, in a certificate and in the key that signed it too', () => {
  const rsa = (bits: number): Buffer =>
    Buffer.concat([
      sshString('ssh-rsa'),
      mpint(Buffer.of(1, 0, 1)),
      mpint(Buffer.concat([Buffer.of(1 << ((bits - 1) % 8)), Buffer.alloc((bits - 1) >> 3, 1)])),
    ]);
  expect(readHostKey(rsa(4096)).key.modulusBits).toBe(4096);
  expect(() => readHostKey(rsa(4097))).toThrow('more than 4096 bits');
  const ofHost = keys.certify(keys.make('-t', 'ed25519'), keys.make('-t', 'ed25519'), '-h');
  const authority = sshString(keys.blobOf(keys.make('-t', 'ed25519')));
  const at = ofHost.length - 4 - 83 - authority.length;
  const byLong = Buffer.concat([
    ofHost.subarray(0, at),
    sshString(rsa(4097)),
    ofHost.subarray(-87),
  ]);
  expect(() => readHostKey(byLong)).toThrow('more than 4096 bits');
});

describe.each(securityKeyTypes)('a certificate of a security key of type %s', (type) => {
  test('is of the key in it', async () => {
    const key = new SecurityKey(type);
    const path = keys.put(key.line);
    const host = await certified(keys.certify(keys.make('-t', 'ed25519'), path, '-h'));
    expect(host.plain).toEqual(key.blob);
    expect(blobVerifies(host.key, key.sign(data), data)).toBe(true);
  });
  const data = createHash('sha256').update('session').digest();
});
