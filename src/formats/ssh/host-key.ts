import { createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { SshFormatError, SshReader } from './wire.ts';

/** What of host keys is known: the types that OpenSSH verifies sessions with. */
interface HostKeyType {
  /** Reads what stands behind the type. */
  readonly key: (reader: SshReader) => JsonWebKey;
  /** Hash by type of signature; null: the algorithm has its own. */
  readonly hashes: Readonly<Record<string, string | null>>;
  /** The signature as node takes it, of what stands behind its type. */
  readonly signature: (bytes: Buffer, key: KeyObject) => Buffer;
}

/** Smallest RSA modulus that OpenSSH takes, bits, and largest that OpenSSL does, bytes. */
const fewestModulusBits = 1024;
const mostModulusBytes = 2048;
const mostExponentBytes = 8;

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** RFC 5656, section 3.1. `size`: bytes of a coordinate. */
function ecdsa(curve: string, crv: string, size: number, hash: string): [string, HostKeyType] {
  const type = `ecdsa-sha2-${curve}`;
  return [
    type,
    {
      key(reader) {
        if (reader.text() !== curve) throw new SshFormatError('a key of another curve');
        const point = reader.string();
        if (point.length !== 1 + 2 * size || point[0] !== 4) {
          throw new SshFormatError('a key that is no uncompressed point');
        }
        const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
        return { kty: 'EC', crv, x: b64(x), y: b64(y) };
      },
      hashes: { [type]: hash },
      signature(bytes) {
        const numbers = new SshReader(bytes);
        const raw = Buffer.concat([numbers.mpint(size), numbers.mpint(size)]);
        numbers.end();
        return raw;
      },
    },
  ];
}

const types: ReadonlyMap<string, HostKeyType> = new Map([
  [
    'ssh-ed25519', // RFC 8709
    {
      key: (reader) => ({ kty: 'OKP', crv: 'Ed25519', x: b64(reader.string()) }),
      hashes: { 'ssh-ed25519': null },
      signature: (bytes) => bytes,
    },
  ],
  ecdsa('nistp256', 'P-256', 32, 'sha256'),
  ecdsa('nistp384', 'P-384', 48, 'sha384'),
  ecdsa('nistp521', 'P-521', 66, 'sha512'),
  [
    'ssh-rsa', // RFC 4253, section 6.6; RFC 8332
    {
      key(reader) {
        const e = reader.mpint(mostExponentBytes);
        return { kty: 'RSA', e: b64(e), n: b64(reader.mpint(mostModulusBytes)) };
      },
      hashes: { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' },
      signature(bytes, { asymmetricKeyDetails }) {
        const bits = asymmetricKeyDetails?.modulusLength ?? 0;
        if (bits < fewestModulusBits) throw new SshFormatError('a key that is too short');
        // RFC 8332 counts on a signature as long as the modulus; some leave its leading zeros out.
        return Buffer.concat([
          Buffer.alloc(Math.max(0, Math.ceil(bits / 8) - bytes.length)),
          bytes,
        ]);
      },
    },
  ],
]);

/**
 * Whether `signature`, a blob, is that of the host key, a blob, over `data`. Throws SshFormatError for blobs that are
 * none, or of a kind that is not known here; SHA-1 is none.
 */
export function hostKeyVerifies(keyBlob: Buffer, signature: Buffer, data: Uint8Array): boolean {
  const ofKey = new SshReader(keyBlob);
  const type = types.get(ofKey.text());
  if (type === undefined) throw new SshFormatError('a host key of a kind that is not known here');
  const key = keyObject(type.key(ofKey));
  ofKey.end();
  const ofSignature = new SshReader(signature);
  const hash = type.hashes[ofSignature.text()];
  if (hash === undefined) throw new SshFormatError('a signature of another kind than the host key');
  const bytes = type.signature(ofSignature.string(), key);
  ofSignature.end();
  return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, bytes);
}

function keyObject(jwk: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    throw new SshFormatError('a host key that is none');
  }
}
