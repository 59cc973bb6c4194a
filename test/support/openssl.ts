import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** SubjectPublicKeyInfo of RFC 8410 up to the 32 key bytes. */
const spki = Buffer.from('302a300506032b6570032100', 'hex');

/** What `openssl pkeyutl -verify -rawin`, a program that is not ours, says of an Ed25519 signature. */
export function opensslVerifies(
  message: Uint8Array,
  signature: Uint8Array,
  publicKeyB64: string,
): boolean {
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
        ...['pkeyutl', '-verify', '-rawin', '-pubin', '-keyform', 'DER'],
        ...['-inkey', put('key.der', key)],
        ...['-in', put('message', message), '-sigfile', put('signature', signature)],
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
