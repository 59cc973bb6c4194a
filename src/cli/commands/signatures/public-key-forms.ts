import { decodeBase64 } from '../../../base/base64.ts';
import type { AlgorithmName } from '../../../api/signing-backend.ts';
import { MinisignFormatError } from '../../../formats/minisign/format.ts';
import { readPublicKeyFile } from '../../../formats/minisign/public-key.ts';
import { blobOfLine, endOfOptions } from '../../../formats/ssh/public-key-line.ts';
import { decodePublicKey, sshTypeOf } from '../../../formats/ssh/public-key.ts';
import { SshFormatError } from '../../../formats/ssh/wire.ts';
import { algorithmNames, type AlgorithmNames } from '../../../algorithms/algorithm-names.ts';
import type { GivenKey } from './given-key.ts';

/** Why a text is not a public key that can be used; says what would be. */
export class PublicKeyFormError extends Error {
  override readonly name = 'PublicKeyFormError';
}

/** It is a private key, whatever else is wrong with it. */
export class PrivateKeyError extends PublicKeyFormError {}

const names = Object.entries(algorithmNames) as [AlgorithmName, AlgorithmNames][];

const supported = 'only Ed25519 and P-256 public keys can be used';

/** PEM of a SubjectPublicKeyInfo (RFC 7468, section 13); text before and behind it says what it is (section 2). */
export function fromPem(text: string): GivenKey {
  const labels = [...text.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm)].map(
    ([, label = '']) => label,
  );
  if (labels.some((label) => label.includes('PRIVATE'))) throw privateKey('PEM file');
  refuseSeveral(labels.length);
  const match = /^-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/m.exec(text);
  const label = match?.[1] ?? labels[0] ?? '';
  if (label === 'CERTIFICATE') {
    throw new PublicKeyFormError(
      'a certificate; take its key out with openssl x509 -noout -pubkey',
    );
  }
  if (label !== 'PUBLIC KEY') throw new PublicKeyFormError(`PEM of another kind: ${label}`);
  const der = decodeBase64((match?.[2] ?? '-').replaceAll(/\s/g, ''));
  if (der === null) throw new PublicKeyFormError('PEM that cannot be decoded');
  // Taken off byte by byte: node:crypto would load keys here that strict verification has to refuse, and would
  // refuse some with less to say.
  for (const [algorithm, { spkiPrefix: prefix, publicKeyLength }] of names) {
    if (der.length !== prefix.length + publicKeyLength) continue;
    if (!der.subarray(0, prefix.length).equals(prefix)) continue;
    return { algorithm, bytes: der.subarray(prefix.length) };
  }
  throw new PublicKeyFormError(`${supported} (P-256 with the uncompressed point)`);
}

/** JWK: RFC 8037 for Ed25519, RFC 7518 section 6.2 for P-256. */
export function fromJwk(text: string): GivenKey {
  const jwk = parseObject(text);
  if ('d' in jwk || jwk['kty'] === 'oct') throw privateKey('JWK');
  if ('keys' in jwk) throw new PublicKeyFormError('a JWK set; give one of its keys');
  refuseOtherUses(jwk);
  if (jwk['kty'] === 'OKP' && jwk['crv'] === 'Ed25519') {
    return { algorithm: 'ed25519', ...algOf(jwk, 'ed25519'), bytes: coordinate(jwk, 'x') };
  }
  if (jwk['kty'] === 'EC' && jwk['crv'] === 'P-256') {
    const alg = algOf(jwk, 'es256');
    const bytes = Buffer.concat([Buffer.of(4), coordinate(jwk, 'x'), coordinate(jwk, 'y')]);
    return { algorithm: 'es256', ...alg, bytes };
  }
  throw new PublicKeyFormError(`a JWK of another kind; ${supported}`);
}

/** The key of an ssh blob, where it is of a kind that signs everything here. */
export function fromSshBlob(blob: Buffer): GivenKey {
  const key = decodePublicKey(blob);
  if (key !== null) return key;
  throw new PublicKeyFormError(`an ssh key of another kind; ${supported}`);
}

/**
 * The blob in a .pub file (RFC 4253 section 6.6, RFC 8709, RFC 5656): one line, which may have the options of
 * authorized_keys before it. Lines that are empty or begin with # are none, as for ssh-keygen.
 */
export function sshBlobIn(text: string): Buffer {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  refuseSeveral(keys.length);
  const blob = blobBehindOptions(keys[0] ?? '');
  if (blob !== null) return blob;
  throw new PublicKeyFormError('an ssh key that cannot be decoded');
}

function blobBehindOptions(line: string): Buffer | null {
  const direct = blobOfLine(line);
  if (direct !== null) return direct;
  try {
    return blobOfLine(line.slice(endOfOptions(line)).trimStart());
  } catch (error) {
    if (error instanceof SshFormatError) return null;
    throw error;
  }
}

/** The blob in the file format of RFC 4716, as `ssh-keygen -e` writes it. */
export function sshBlobInRfc4716(text: string): Buffer {
  refuseSeveral([...text.matchAll(/^---- BEGIN /gm)].length);
  const body = /^---- BEGIN SSH2 PUBLIC KEY ----\r?\n([^]*?)^---- END SSH2 PUBLIC KEY ----/m.exec(
    text,
  );
  // A header goes on where its line ends with a backslash (section 3.3).
  const headers = /^[^:\r\n]+:(?:[^\r\n]*\\\r?\n)*[^\r\n]*$/gm;
  const encoded = (body?.[1] ?? '-').replaceAll(headers, '').replaceAll(/\s/g, '');
  const blob = decodeBase64(encoded);
  if (blob !== null && sshTypeOf(blob) !== null) return blob;
  throw new PublicKeyFormError('an ssh key (RFC 4716) that cannot be decoded');
}

function refuseSeveral(keys: number): void {
  if (keys < 2) return;
  throw new PublicKeyFormError(`it holds ${keys} keys: give a file with the one that is meant`);
}

/** minisign's .pub file. */
export function fromMinisign(text: string): GivenKey {
  try {
    const { bytes, keyId } = readPublicKeyFile(text);
    return { algorithm: 'ed25519', bytes, minisignKeyId: keyId };
  } catch (error) {
    if (!(error instanceof MinisignFormatError)) throw error;
    throw new PublicKeyFormError(error.message, { cause: error });
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new PublicKeyFormError('not a JWK: the JSON cannot be read');
  }
}

/** RFC 7517, sections 4.2 and 4.3. */
function refuseOtherUses({ use, key_ops: operations }: Readonly<Record<string, unknown>>): void {
  if (use !== undefined && use !== 'sig') {
    throw new PublicKeyFormError('a JWK that is not for signatures ("use")');
  }
  if (operations === undefined) return;
  if (Array.isArray(operations) && operations.includes('verify')) return;
  throw new PublicKeyFormError('a JWK that is not for verifying ("key_ops")');
}

function algOf(
  { alg }: Readonly<Record<string, unknown>>,
  algorithm: AlgorithmName,
): Pick<GivenKey, 'alg'> {
  if (alg === undefined) return {};
  const known = algorithmNames[algorithm].jose.algs.find((name) => name === alg);
  if (known !== undefined) return { alg: known };
  throw new PublicKeyFormError(`a JWK whose "alg" does not fit its key: ${JSON.stringify(alg)}`);
}

function coordinate(jwk: Readonly<Record<string, unknown>>, name: 'x' | 'y'): Buffer {
  const text = jwk[name];
  const bytes = typeof text === 'string' ? decodeBase64(text) : null;
  if (bytes?.length !== 32) throw new PublicKeyFormError(`a JWK whose "${name}" is not 32 bytes`);
  return bytes;
}

function privateKey(what: string): PrivateKeyError {
  return new PrivateKeyError(
    `this ${what} holds a PRIVATE key; verifying needs the public one, and a private key that lies about should be replaced`,
  );
}
