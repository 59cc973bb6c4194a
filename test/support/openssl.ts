import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';

/** What openssl needs of each algorithm: the SubjectPublicKeyInfo up to the key bytes, and its own form of a signature. */
const forms: Readonly<
  Record<
    AlgorithmName,
    {
      readonly spki: Buffer;
      readonly signature: (raw: Uint8Array) => Uint8Array;
      readonly words: readonly string[];
    }
  >
> = {
  // RFC 8410.
  ed25519: {
    spki: Buffer.from('302a300506032b6570032100', 'hex'),
    signature: (raw) => raw,
    words: [],
  },
  // RFC 5480: id-ecPublicKey, prime256v1, an uncompressed point.
  es256: {
    spki: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
    signature: (raw) => sequenceOf(raw.subarray(0, 32), raw.subarray(32)),
    words: ['-digest', 'sha256'],
  },
};

/** DER: a SEQUENCE of two positive INTEGERs. */
function sequenceOf(...numbers: readonly Uint8Array[]): Buffer {
  const integers = numbers.map((number) => {
    const first = number.findIndex((byte) => byte !== 0);
    const from = first < 0 ? number.length - 1 : first;
    const sign = (number[from] ?? 0) >= 0x80 ? [0] : [];
    const body = Buffer.concat([Buffer.from(sign), number.subarray(from)]);
    return Buffer.concat([Buffer.from([2, body.length]), body]);
  });
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** What `openssl pkeyutl -verify -rawin`, a program that is not ours, says of a signature. */
export function opensslVerifies(
  message: Uint8Array,
  signature: Uint8Array,
  publicKeyB64: string,
  algorithm: AlgorithmName = 'ed25519',
): boolean {
  const { spki, signature: formed, words } = forms[algorithm];
  const folder = mkdtempSync(join(tmpdir(), 'openssl-'));
  const put = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  try {
    const key = Buffer.concat([spki, Buffer.from(publicKeyB64, 'base64url')]);
    const output = execFileSync(
      'openssl',
      [
        ...['pkeyutl', '-verify', '-rawin', ...words, '-pubin', '-keyform', 'DER'],
        ...['-inkey', put('key.der', key)],
        ...['-in', put('message', message), '-sigfile', put('signature', formed(signature))],
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    return output.includes('Signature Verified Successfully');
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
