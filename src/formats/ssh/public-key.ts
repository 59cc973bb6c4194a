import { createHash } from 'node:crypto';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import { algorithmNames, type AlgorithmNames } from '../../algorithms/algorithm-names.ts';
import { mpint, SshFormatError, SshReader, sshString, sshStrings } from './wire.ts';

/** A raw public key, and what it is one of. */
export interface SshPublicKey {
  readonly algorithm: AlgorithmName;
  /** Ed25519: 32 bytes. ES256: 65 bytes, 04 first. */
  readonly bytes: Buffer;
}

const entries = Object.entries(algorithmNames) as [AlgorithmName, AlgorithmNames][];

/** The key blob (RFC 8709, section 4; RFC 5656, section 3.1). */
export function encodePublicKey(algorithm: AlgorithmName, bytes: Uint8Array): Buffer {
  const { type, curve } = algorithmNames[algorithm].ssh;
  const parts = curve === null ? [type, bytes] : [type, curve, bytes];
  return Buffer.concat(parts.map(sshString));
}

/** `type base64`, as in authorized_keys, without a comment. */
export function publicKeyLine(algorithm: AlgorithmName, bytes: Uint8Array): string {
  const blob = encodePublicKey(algorithm, bytes);
  return `${algorithmNames[algorithm].ssh.type} ${blob.toString('base64')}`;
}

/** null for a blob that is none, or of a kind that is not known here. Whether it is a point is not looked at. */
export function decodePublicKey(blob: Buffer): SshPublicKey | null {
  return read(blob, (reader) => {
    const { algorithm, names } = known(reader.text());
    if (names.ssh.curve !== null && reader.text() !== names.ssh.curve) {
      throw new SshFormatError('a key of another curve');
    }
    const bytes = reader.string();
    reader.end();
    if (bytes.length !== names.publicKeyLength) throw new SshFormatError('a key of another length');
    return { algorithm, bytes };
  });
}

/** The type that a key or signature blob begins with; null where it begins with none. */
export function sshTypeOf(blob: Buffer): string | null {
  return read(blob, (reader) => reader.text());
}

/** The signature blob of 64 raw bytes (RFC 8709, section 6; RFC 5656, section 3.1.2). */
export function encodeSignature(algorithm: AlgorithmName, raw: Uint8Array): Buffer {
  const { type, curve } = algorithmNames[algorithm].ssh;
  const signature =
    curve === null ? raw : Buffer.concat([mpint(raw.subarray(0, 32)), mpint(raw.subarray(32))]);
  return sshStrings(type, signature);
}

/** 64 raw bytes, and by which algorithm; null for a blob that is none, or of a kind that is not known here. */
export function decodeSignature(
  blob: Buffer,
): { readonly algorithm: AlgorithmName; readonly raw: Buffer } | null {
  return read(blob, (reader) => {
    const { algorithm, names } = known(reader.text());
    const signature = reader.string();
    reader.end();
    if (names.ssh.curve === null) {
      if (signature.length !== 64) throw new SshFormatError('a signature of another length');
      return { algorithm, raw: signature };
    }
    const numbers = new SshReader(signature);
    const raw = Buffer.concat([numbers.mpint(32), numbers.mpint(32)]);
    numbers.end();
    return { algorithm, raw };
  });
}

/** `SHA256:…`, as OpenSSH shows keys. */
export function fingerprint(blob: Uint8Array): string {
  const digest = createHash('sha256').update(blob).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

function known(type: string): { algorithm: AlgorithmName; names: AlgorithmNames } {
  const entry = entries.find(([, { ssh }]) => ssh.type === type);
  if (entry === undefined) throw new SshFormatError('of a kind that is not known here');
  return { algorithm: entry[0], names: entry[1] };
}

function read<T>(blob: Buffer, as: (reader: SshReader) => T): T | null {
  try {
    return as(new SshReader(blob));
  } catch (error) {
    if (error instanceof SshFormatError) return null;
    throw error;
  }
}
