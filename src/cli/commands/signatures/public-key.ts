import { existsSync } from 'node:fs';
import { decodeBase64 } from '../../../base/base64.ts';
import { isPublicKeyFile, publicKeyOf } from '../../../formats/minisign/public-key.ts';
import { encodePublicKey } from '../../../formats/ssh/public-key.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import type { Terminal } from '../../shell/terminal.ts';
import type { GivenKey } from './given-key.ts';
import {
  fromJwk,
  fromMinisign,
  fromPem,
  fromSshBlob,
  PublicKeyFormError,
  sshBlobIn,
  sshBlobInRfc4716,
} from './public-key-forms.ts';

/** Far beyond any single public key. */
const maxKeyFileBytes = 64 * 1024;

/** A key in a form of its own, or an ssh key of whatever type. */
type Parsed = { readonly key: GivenKey } | { readonly sshBlob: Buffer };

/**
 * The key that `--public-key`, or another flag, gives: base64 of its raw bytes, an ssh line, a PEM or JWK text, a
 * minisign key, or a file with one of these. UsageError for everything else, a private key above all, and for a file
 * with several keys.
 */
export async function publicKeyFrom(
  value: string,
  terminal: Terminal,
  flag = '--public-key',
): Promise<GivenKey> {
  const { parsed, name } = await parsedFrom(value, terminal, flag);
  return 'key' in parsed ? parsed.key : inUsage(name, () => fromSshBlob(parsed.sshBlob));
}

/** The same as the blob of an ssh key, which may be of any type then. */
export async function sshBlobFrom(value: string, terminal: Terminal): Promise<Buffer> {
  const { parsed } = await parsedFrom(value, terminal, '--public-key');
  if ('sshBlob' in parsed) return parsed.sshBlob;
  const { algorithm, bytes } = parsed.key;
  return encodePublicKey(algorithm, bytes);
}

async function parsedFrom(
  value: string,
  terminal: Terminal,
  flag: string,
): Promise<{ readonly parsed: Parsed; readonly name: string }> {
  const given = parse(value, flag);
  if (given !== null) return { parsed: given, name: flag };
  if (!existsSync(value)) {
    const forms =
      'base64 of 32 (ed25519) or 65 (es256) bytes, an ssh line, or a PEM, JWK, ssh or minisign file';
    throw new UsageError(`${flag}: neither a key nor a file: ${value}; a key is ${forms}`);
  }
  const content = await readInput(value, terminal, maxKeyFileBytes);
  const parsed = parse(content.toString('utf8'), value) ?? ofRawBytes(content);
  if (parsed !== null) return { parsed, name: value };
  throw new UsageError(`${value}: no public key in a form that is known here`);
}

const pem = /^-----BEGIN /m;
const rfc4716 = /^---- BEGIN SSH2 PUBLIC KEY ----/m;
/** Begins a line of a .pub file, or follows its options. */
const sshType =
  /^(?:(?:sk-)?(?:ssh|ecdsa)-\S+\s|[^#\s][^\r\n]*[ \t](?:sk-)?(?:ssh|ecdsa)-\S+[ \t]+AAAA)/m;

function parse(given: string, name: string): Parsed | null {
  const text = given.replace(/^\ufeff/, '').trim();
  return inUsage(name, () => {
    if (text.startsWith('{')) return { key: fromJwk(text) };
    if (pem.test(text)) return { key: fromPem(text) };
    if (rfc4716.test(text)) return { sshBlob: sshBlobInRfc4716(text) };
    if (text.startsWith('untrusted comment:') || isPublicKeyFile(text)) {
      return { key: fromMinisign(text) };
    }
    if (sshType.test(text)) return { sshBlob: sshBlobIn(text) };
    const bytes = decodeBase64(text);
    return bytes === null ? null : ofRawBytes(bytes);
  });
}

/** What `work` refuses is a mistake in what was given as `name`. */
function inUsage<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PublicKeyFormError)) throw error;
    throw new UsageError(`${name}: ${error.message}`, { cause: error });
  }
}

function ofRawBytes(bytes: Buffer): Parsed | null {
  if (bytes.length === 32) return { key: { algorithm: 'ed25519', bytes } };
  if (bytes.length === 65) return { key: { algorithm: 'es256', bytes } };
  const key = publicKeyOf(bytes);
  return key && { key: { algorithm: 'ed25519', bytes: key.bytes, minisignKeyId: key.keyId } };
}
