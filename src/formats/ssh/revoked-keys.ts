import { createHash } from 'node:crypto';
import { blobOfLine } from './public-key-line.ts';
import { SshFormatError, SshReader } from './wire.ts';

const magic = Buffer.from('SSHKRL\n\0', 'latin1');
const formatVersion = 1;

/** Sections of a key revocation list (OpenSSH's PROTOCOL.krl). */
const sections = {
  certificates: 1,
  key: 2,
  sha1: 3,
  signature: 4,
  sha256: 5,
  extension: 255,
} as const;

/**
 * Whether a file of `ssh-keygen -Y verify -r` has the key of this blob: a key revocation list, or public keys, one a
 * line. What a list says of certificates is about those alone. As for ssh-keygen its signatures are not looked at.
 * Throws SshFormatError for a file that is neither, wherever in it that shows: what cannot be read may name the key.
 */
export function isRevoked(file: Buffer, blob: Buffer): boolean {
  const isList = file.subarray(0, magic.length).equals(magic);
  return isList ? isInList(file, blob) : isAmongLines(file, blob);
}

function isAmongLines(file: Buffer, blob: Buffer): boolean {
  let found = false;
  for (const [at, text] of file.toString('latin1').split('\n').entries()) {
    const line = text.replace(/^[ \t]+/, '').trimEnd();
    if (line === '' || line.startsWith('#')) continue;
    const revoked = blobOfLine(line);
    if (revoked === null) throw new SshFormatError(`line ${at + 1} is no public key`);
    if (revoked.equals(blob)) found = true;
  }
  return found;
}

function isInList(file: Buffer, blob: Buffer): boolean {
  const reader = new SshReader(file.subarray(magic.length));
  const version = reader.uint32();
  if (version !== formatVersion) {
    throw new SshFormatError(`a key revocation list of format ${version} is not known here`);
  }
  reader.uint64(); // the list's own version
  reader.uint64(); // when it was made
  reader.uint64(); // flags, of which there are none
  reader.string(); // reserved
  reader.string(); // comment
  let found = false;
  while (!reader.atEnd) {
    const type = reader.byte();
    const content = new SshReader(reader.string());
    if (has(type, content, blob)) found = true;
  }
  return found;
}

function has(type: number, content: SshReader, blob: Buffer): boolean {
  if (type === sections.certificates || type === sections.signature) return false;
  if (type === sections.key) return isListed(content, blob);
  if (type === sections.sha1) return isListed(content, digestOf('sha1', blob));
  if (type === sections.sha256) return isListed(content, digestOf('sha256', blob));
  if (type !== sections.extension) {
    throw new SshFormatError(`a section of type ${type} is not known here`);
  }
  const name = content.text();
  if (!content.boolean()) return false;
  throw new SshFormatError(`the critical extension ${name} is not known here`);
}

function isListed(content: SshReader, wanted: Buffer): boolean {
  let found = false;
  while (!content.atEnd) if (content.string().equals(wanted)) found = true;
  return found;
}

function digestOf(hash: 'sha1' | 'sha256', blob: Buffer): Buffer {
  return createHash(hash).update(blob).digest();
}
