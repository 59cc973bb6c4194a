import { sshString, SshFormatError, SshReader } from './wire.ts';
import {
  blobVerifiesInPool,
  keyTypes,
  readVerificationKey,
  type VerificationKey,
} from './verification-key.ts';

/** What a server showed of itself. */
export interface HostKey {
  /** The blob of the key itself, without a certificate around it: what is compared, and shown. */
  readonly plain: Buffer;
  readonly key: VerificationKey;
  /** What an authority is said to have signed; null: a plain key. */
  readonly certificate: {
    readonly authority: VerificationKey;
    readonly signed: Buffer;
    readonly signature: Buffer;
  } | null;
}

const certificateSuffix = '-cert-v01@openssh.com';
const ofHosts = 2;
const mostModulusBits = 4096;

/**
 * The host key of a blob: a plain one, or one in a certificate (OpenSSH's PROTOCOL.certkeys), whose authority must have
 * signed it: see `requireCertified`. Throws SshFormatError for everything else.
 */
export function readHostKey(blob: Buffer): HostKey {
  const certified = readCertificate(blob);
  if (certified !== null) return certified;
  const key = readVerificationKey(blob);
  if (key === null) throw new SshFormatError('a host key of a kind that is not known here');
  requireShort(key);
  return { plain: blob, key, certificate: null };
}

/**
 * The blob of the key itself, of a plain key or of one in a certificate, which is not verified: to compare it with one
 * that was read. Throws SshFormatError.
 */
export function plainHostKey(blob: Buffer): Buffer {
  return readCertified(new SshReader(blob), blob)?.plain ?? blob;
}

/** Up to the end of the key. Null where the blob is no certificate of a known type. */
function readCertified(reader: SshReader, blob: Buffer): HostKey | null {
  const plainType = plainTypeOf(reader.text());
  const read = plainType === null ? undefined : keyTypes.get(plainType);
  if (plainType === null || read === undefined) return null;
  reader.string(); // nonce
  const from = reader.at;
  const key = read(reader);
  requireShort(key);
  const members = blob.subarray(from, reader.at);
  return { plain: Buffer.concat([sshString(plainType), members]), key, certificate: null };
}

/** Null where the blob is no certificate of a known type. */
function readCertificate(blob: Buffer): HostKey | null {
  const reader = new SshReader(blob);
  const certified = readCertified(reader, blob);
  if (certified === null) return null;
  reader.uint64(); // serial number
  if (reader.uint32() !== ofHosts) throw new SshFormatError('a certificate that is not of a host');
  reader.string(); // key id
  reader.string(); // principals
  reader.uint64(); // valid after
  reader.uint64(); // valid before
  reader.string(); // critical options
  reader.string(); // extensions
  reader.string(); // reserved
  const authority = readVerificationKey(reader.string());
  if (authority === null) throw new SshFormatError('an authority of a kind that is not known here');
  const signed = blob.subarray(0, reader.at);
  const signature = reader.string();
  reader.end();
  requireShort(authority);
  return { ...certified, certificate: { authority, signed, signature } };
}

/**
 * Verifies the certificate, where there is one, in the thread pool; who its authority is and for which names, ssh has
 * looked at. Rejects with SshFormatError.
 */
export async function requireCertified({ certificate }: HostKey): Promise<void> {
  if (certificate === null) return;
  const { authority, signed, signature } = certificate;
  if (await blobVerifiesInPool(authority, signature, signed)) return;
  throw new SshFormatError('a certificate that its authority has not signed');
}

/** RSA keys of more bits are longer than anybody's host key, and slow. */
function requireShort({ modulusBits }: VerificationKey): void {
  if (modulusBits <= mostModulusBits) return;
  throw new SshFormatError(`an RSA key of more than ${mostModulusBits} bits`);
}

/** `ssh-ed25519-cert-v01@openssh.com` is of `ssh-ed25519`, `sk-ssh-ed25519-cert-v01@…` of `sk-ssh-ed25519@…`. */
function plainTypeOf(type: string): string | null {
  if (!type.endsWith(certificateSuffix)) return null;
  const name = type.slice(0, -certificateSuffix.length);
  return name.startsWith('sk-') ? `${name}@openssh.com` : name;
}
