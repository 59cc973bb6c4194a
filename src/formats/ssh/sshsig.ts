/** Signatures of files by SSH keys (OpenSSH's PROTOCOL.sshsig). Nothing here is hashed or verified. */
import { decodeBase64 } from '../../base/base64.ts';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import { encodePublicKey, encodeSignature } from './public-key.ts';
import { SshFormatError, SshReader, sshString, uint32 } from './wire.ts';

/** Bytes of each hash. */
export const sshsigHashes = { sha256: 32, sha512: 64 } as const;
type SshsigHash = keyof typeof sshsigHashes;

/** What the signature is about: whoever verifies names the same, so that none is taken for something else. */
export interface SshsigContext {
  /** What signatures of this kind are for, such as `file` or `git`. Never empty. */
  readonly namespace: string;
  /** Nothing today, but covered by the signature. */
  readonly reserved: Buffer;
  readonly hash: SshsigHash;
}

export interface Sshsig extends SshsigContext {
  /** Key and signature blobs as they stand there, of whatever kind. */
  readonly publicKey: Buffer;
  readonly signature: Buffer;
}

export interface SshsigSigner {
  readonly algorithm: AlgorithmName;
  /** Ed25519: 32 bytes. ES256: 65 bytes, 04 first. */
  readonly bytes: Uint8Array;
}

const magic = Buffer.from('SSHSIG');
const version = 1;

export const armorBegin = '-----BEGIN SSH SIGNATURE-----';
const armorEnd = '-----END SSH SIGNATURE-----';

/** As ssh-keygen breaks lines. */
const lineLength = 70;

/** The bytes that the key signs for a file of this digest. */
export function sshsigMessage(context: SshsigContext, digest: Uint8Array): Buffer {
  const { namespace, reserved, hash } = context;
  return Buffer.concat([magic, ...[namespace, reserved, hash, digest].map(sshString)]);
}

/**
 * The namespace of bytes that are signed for a file; null where they begin as such bytes and are none, undefined for
 * anything else.
 */
export function namespaceOfMessage(message: Buffer): string | null | undefined {
  if (!message.subarray(0, magic.length).equals(magic)) return undefined;
  try {
    const reader = new SshReader(message.subarray(magic.length));
    const namespace = reader.text();
    for (let left = 3; left > 0; left -= 1) reader.string(); // reserved, hash, digest
    reader.end();
    return namespace;
  } catch (error) {
    if (error instanceof SshFormatError) return null;
    throw error;
  }
}

/** The armored text, as ssh-keygen writes it; `raw` is the signature's 64 bytes. */
export function encodeSshsig(
  { algorithm, bytes }: SshsigSigner,
  { namespace, reserved, hash }: SshsigContext,
  raw: Uint8Array,
): string {
  const key = sshString(encodePublicKey(algorithm, bytes));
  const signature = sshString(encodeSignature(algorithm, raw));
  const names = [namespace, reserved, hash].map(sshString);
  const blob = Buffer.concat([magic, uint32(version), key, ...names, signature]);
  const lines = blob.toString('base64').match(new RegExp(`.{1,${lineLength}}`, 'g')) ?? [];
  return [armorBegin, ...lines, armorEnd, ''].join('\n');
}

/** Reads the armored text; lines may have any length and end in CRLF. Throws SshFormatError. */
export function decodeSshsig(armored: string): Sshsig {
  const text = armored.trimEnd();
  if (!text.startsWith(armorBegin)) throw new SshFormatError('it has no first line of its armor');
  if (!text.endsWith(`\n${armorEnd}`)) {
    throw new SshFormatError('it does not end with the last line of its armor');
  }
  const body = text.slice(armorBegin.length, -armorEnd.length).replaceAll(/[ \t\r\n]/g, '');
  // URL-safe base64 is for others: who reads this armor elsewhere would not know it.
  const blob = /[-_]/.test(body) ? null : decodeBase64(body);
  if (blob === null) throw new SshFormatError('its base64 cannot be decoded');
  return readBlob(blob);
}

function readBlob(blob: Buffer): Sshsig {
  if (!blob.subarray(0, magic.length).equals(magic)) {
    throw new SshFormatError('what the armor holds is no signature');
  }
  const reader = new SshReader(blob.subarray(magic.length));
  const found = reader.uint32();
  if (found !== version) throw new SshFormatError(`version ${found} is not known here`);
  const publicKey = reader.string();
  const namespace = reader.text();
  if (namespace === '') throw new SshFormatError('its namespace is empty');
  const reserved = reader.string();
  const named = reader.text();
  const hash = (['sha256', 'sha512'] as const).find((known) => known === named);
  if (hash === undefined) throw new SshFormatError('its hash is neither sha256 nor sha512');
  const signature = reader.string();
  reader.end();
  return { publicKey, namespace, reserved, hash, signature };
}
