import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  decodePublicKey,
  decodeSignature,
  encodePublicKey,
  encodeSignature,
  fingerprint,
  publicKeyLine,
  sshTypeOf,
} from '../../src/formats/ssh/public-key.ts';
import { SshReader, sshString } from '../../src/formats/ssh/wire.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { OpensshKeys } from '../support/openssh-keys.ts';

let keys: OpensshKeys;
beforeAll(() => {
  keys = new OpensshKeys();
});
afterAll(() => {
  keys.remove();
});

const kinds = [
  ['ed25519', ['-t', 'ed25519'], 32],
  ['es256', ['-t', 'ecdsa', '-b', '256'], 65],
] as const;

describe.each(kinds)('%s', (algorithm, options, length) => {
  let path: string;
  let blob: Buffer;
  beforeAll(() => {
    path = keys.make(...options);
    blob = keys.blobOf(path);
  });

  test("reads ssh-keygen's public key and writes the same", () => {
    const key = decodePublicKey(blob);
    expect(key?.algorithm).toBe(algorithm);
    expect(key?.bytes).toHaveLength(length);
    const bytes = key?.bytes ?? Buffer.alloc(0);
    expect(algorithms[algorithm].isPublicKey(bytes)).toBe(true);
    expect(encodePublicKey(algorithm, bytes)).toEqual(blob);
    expect(`${publicKeyLine(algorithm, bytes)} test\n`).toBe(readFileSync(`${path}.pub`, 'utf8'));
  });

  test('shows the fingerprint that ssh-keygen shows', () => {
    const shown = execFileSync('ssh-keygen', ['-l', '-f', `${path}.pub`], { encoding: 'utf8' });
    expect(shown.split(' ')[1]).toBe(fingerprint(blob));
  });

  test('a line of ours is read by ssh-keygen', () => {
    const file = join(keys.folder, 'ours.pub');
    writeFileSync(file, `${publicKeyLine(algorithm, decodePublicKey(blob)?.bytes ?? blob)}\n`);
    const shown = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' });
    expect(shown).toContain(fingerprint(blob));
  });

  test("reads ssh-keygen's signatures, writes the same, and they verify", () => {
    // Numbers of every length: one in 256 is shorter than usual, every other has a sign byte.
    for (let index = 0; index < 40; index += 1) {
      const made = keys.sign(path, `message ${index}`);
      expect(made.publicKey).toEqual(blob);
      const signature = decodeSignature(made.signature);
      expect(signature?.algorithm).toBe(algorithm);
      const raw = signature?.raw ?? Buffer.alloc(0);
      const { bytes } = decodePublicKey(blob) ?? { bytes: blob };
      expect(algorithms[algorithm].verify(made.data, raw, bytes)).toBe(true);
      expect(encodeSignature(algorithm, raw)).toEqual(made.signature);
    }
  });

  test('no truncation and nothing longer is a key or a signature', () => {
    const { signature } = keys.sign(path, 'message');
    for (const whole of [blob, signature]) {
      const other = [
        ...Array.from({ length: whole.length }, (_, at) => whole.subarray(0, at)),
        Buffer.concat([whole, Buffer.of(0)]),
      ];
      for (const bytes of other) {
        expect(decodePublicKey(bytes)).toBeNull();
        expect(decodeSignature(bytes)).toBeNull();
      }
    }
    expect(decodePublicKey(signature)).toBeNull();
    expect(decodeSignature(blob)).toBeNull();
  });
});

test('small numbers in an ECDSA signature are written short, and read to 32 bytes each', () => {
  const raw = Buffer.concat([Buffer.alloc(31), Buffer.of(1), Buffer.alloc(31), Buffer.of(0x80)]);
  const blob = encodeSignature('es256', raw);
  const reader = new SshReader(blob);
  expect(reader.text()).toBe('ecdsa-sha2-nistp256');
  expect(reader.string()).toEqual(Buffer.from('0000000101000000020080', 'hex'));
  expect(decodeSignature(blob)).toEqual({ algorithm: 'es256', raw });
});

test('keys of other kinds, curves and lengths are none that is known', () => {
  expect(decodePublicKey(keys.blobOf(keys.make('-t', 'rsa', '-b', '2048')))).toBeNull();
  expect(decodePublicKey(keys.blobOf(keys.make('-t', 'ecdsa', '-b', '384')))).toBeNull();
  const parts = ['ecdsa-sha2-nistp256', 'nistp384', Buffer.alloc(65, 4)];
  expect(decodePublicKey(Buffer.concat(parts.map(sshString)))).toBeNull();
  for (const length of [0, 31, 33]) {
    const blob = Buffer.concat(['ssh-ed25519', Buffer.alloc(length)].map(sshString));
    expect(decodePublicKey(blob)).toBeNull();
    expect(sshTypeOf(blob)).toBe('ssh-ed25519');
  }
  for (const length of [0, 63, 65]) {
    const blob = Buffer.concat(['ssh-ed25519', Buffer.alloc(length)].map(sshString));
    expect(decodeSignature(blob)).toBeNull();
  }
  expect(sshTypeOf(Buffer.from('00000009', 'hex'))).toBeNull();
});
