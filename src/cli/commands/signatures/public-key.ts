import type { GivenKey } from './given-key.ts';
import { existsSync } from 'node:fs';
import { decodeBase64 } from '../../../base/base64.ts';
import { publicKeyOf } from '../../../formats/minisign/public-key.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import {
  fromJwk,
  fromMinisign,
  fromPem,
  fromSshLine,
  PublicKeyFormError,
} from './public-key-forms.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Far beyond any single public key. */
const maxKeyFileBytes = 64 * 1024;

/**
 * The key that `--public-key`, or another flag, gives: base64 of its raw bytes, an ssh line, a PEM or JWK text, a
 * minisign key, or a file with one of these. UsageError for everything else, a private key above all.
 */
export async function publicKeyFrom(
  value: string,
  terminal: Terminal,
  flag = '--public-key',
): Promise<GivenKey> {
  const given = parse(value.trim(), flag);
  if (given !== null) return given;
  if (!existsSync(value)) {
    const forms =
      'base64 of 32 (ed25519) or 65 (es256) bytes, an ssh line, or a PEM, JWK, ssh or minisign file';
    throw new UsageError(`${flag}: neither a key nor a file: ${value}; a key is ${forms}`);
  }
  const content = await readInput(value, terminal, maxKeyFileBytes);
  const key = parse(content.toString('utf8').trim(), value) ?? ofRawBytes(content);
  if (key === null) throw new UsageError(`${value}: no public key in a form that is known here`);
  return key;
}

function parse(text: string, name: string): GivenKey | null {
  try {
    if (text.startsWith('{')) return fromJwk(text);
    if (text.startsWith('-----BEGIN ')) return fromPem(text);
    if (text.startsWith('untrusted comment:')) return fromMinisign(text);
    if (/^(ssh|ecdsa)-\S+\s/.test(text)) return fromSshLine(text);
  } catch (error) {
    if (!(error instanceof PublicKeyFormError)) throw error;
    throw new UsageError(`${name}: ${error.message}`, { cause: error });
  }
  const bytes = decodeBase64(text);
  return bytes === null ? null : ofRawBytes(bytes);
}

function ofRawBytes(bytes: Buffer): GivenKey | null {
  if (bytes.length === 32) return { algorithm: 'ed25519', bytes };
  if (bytes.length === 65) return { algorithm: 'es256', bytes };
  const key = publicKeyOf(bytes);
  return key && { algorithm: 'ed25519', bytes: key.bytes, minisignKeyId: key.keyId };
}
