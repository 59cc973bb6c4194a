import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { PublicKey } from '../../src/formats/jose/jwks.ts';

/** A key that signs whatever a test writes, by node:crypto alone. */
export interface TokenKey extends PublicKey {
  readonly sign: (input: string) => Buffer;
}

export function tokenKey(algorithm: PublicKey['algorithm']): TokenKey {
  const pair =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const length = algorithm === 'ed25519' ? 32 : 65;
  const bytes = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-length);
  const digest = algorithm === 'ed25519' ? null : 'sha256';
  return {
    kid: createHash('sha256').update(bytes).digest('hex').slice(0, 8),
    algorithm,
    bytes,
    sign: (input) =>
      sign(digest, Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

/** Three parts, whatever they are; texts are taken as they are written. */
export function handMade(
  header: object | string,
  payload: object | string | Buffer,
  signature: (input: string) => Buffer,
): string {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${signature(input).toString('base64url')}`;
}

function part(content: object | string | Buffer): string {
  if (Buffer.isBuffer(content)) return content.toString('base64url');
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return Buffer.from(text).toString('base64url');
}
