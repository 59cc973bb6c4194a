import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { algorithms } from '../../algorithms/algorithm.ts';
import { verifierWith, type Verifier } from '../../algorithms/verifier.ts';
import { SshFormatError, SshReader, uint32 } from './wire.ts';

/** What a key is said to have signed. */
interface Claim {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly verifier: Verifier | null;
}

/** A public key of any type that OpenSSH verifies with. */
export interface VerificationKey {
  /** Of an RSA key: bits of the modulus; 0 for every other one. */
  readonly modulusBits: number;
  /**
   * What a signature by it over `data` says. `type` and `rest`: the signature blob's type, and what stands behind it,
   * which is read to its end. Throws SshFormatError for what is no signature by keys of this type; SHA-1 is none.
   */
  readonly claim: (type: string, rest: SshReader, data: Uint8Array) => Claim;
}

type ReadKey = (reader: SshReader) => VerificationKey;

/** Smallest RSA modulus that OpenSSH takes, bits, and largest that OpenSSL does, bytes. */
const fewestModulusBits = 1024;
const mostModulusBytes = 2048;
const mostExponentBytes = 8;

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const sha256 = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest();

/** RFC 8709. */
const readEd25519: ReadKey = (reader) => {
  const verifier = algorithms.ed25519.verifier(reader.string());
  return {
    modulusBits: 0,
    claim(type, rest, data) {
      requireType(type, ['ssh-ed25519']);
      const signature = rest.string();
      rest.end();
      return { message: data, signature, verifier };
    },
  };
};

interface Curve {
  readonly name: string;
  /** Bytes of a coordinate. */
  readonly size: number;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /**
   * DER of a SubjectPublicKeyInfo up to the point (RFC 5480, section 2). From a JWK OpenSSL multiplies the point by
   * the curve's order too, which takes longer than the verification; on curves of cofactor 1 that says nothing new.
   */
  readonly spkiPrefix: Buffer;
}

const p256: Curve = {
  name: 'nistp256',
  size: 32,
  hash: 'sha256',
  spkiPrefix: algorithms.es256.spkiPrefix,
};
const p384: Curve = {
  name: 'nistp384',
  size: 48,
  hash: 'sha384',
  spkiPrefix: Buffer.from('3076301006072a8648ce3d020106052b81040022036200', 'hex'),
};
const p521: Curve = {
  name: 'nistp521',
  size: 66,
  hash: 'sha512',
  spkiPrefix: Buffer.from('30819b301006072a8648ce3d020106052b8104002303818600', 'hex'),
};

/** RFC 5656, section 3.1. */
function readEcdsa(curve: Curve): ReadKey {
  return (reader) => {
    const verifier = readPoint(reader, curve);
    return {
      modulusBits: 0,
      claim(type, rest, data) {
        requireType(type, [`ecdsa-sha2-${curve.name}`]);
        const signature = readNumbers(rest.string(), curve);
        rest.end();
        return { message: data, signature, verifier };
      },
    };
  };
}

/** RFC 4253, section 6.6; RFC 8332. */
const readRsa: ReadKey = (reader) => {
  const e = reader.mpint(mostExponentBytes);
  const key = keyObject({ kty: 'RSA', e: b64(e), n: b64(reader.mpint(mostModulusBytes)) });
  const modulusBits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (modulusBits < fewestModulusBits) throw new SshFormatError('a key that is too short');
  return {
    modulusBits,
    claim(type, rest, data) {
      requireType(type, ['rsa-sha2-256', 'rsa-sha2-512']);
      const bytes = rest.string();
      rest.end();
      // RFC 8332 counts on a signature as long as the modulus; some leave its leading zeros out.
      const zeros = Buffer.alloc(Math.max(0, Math.ceil(modulusBits / 8) - bytes.length));
      const verifier = verifierWith(type === 'rsa-sha2-256' ? 'sha256' : 'sha512', key);
      return { message: data, signature: Buffer.concat([zeros, bytes]), verifier };
    },
  };
};

/**
 * Keys of FIDO authenticators (OpenSSH's PROTOCOL.u2f): what they sign has the application, their flags and a counter
 * before the message's hash. Whether somebody touched the device is a flag, and as for ssh-keygen not asked for here.
 */
function readSecurityKey(
  signatureType: string,
  readVerifier: (reader: SshReader) => Verifier | null,
  readSignature: (signature: Buffer) => Uint8Array,
): ReadKey {
  return (reader) => {
    const verifier = readVerifier(reader);
    const application = reader.string();
    return {
      modulusBits: 0,
      claim(type, rest, data) {
        requireType(type, [signatureType]);
        const signature = rest.string();
        const flags = rest.byte();
        const counter = uint32(rest.uint32());
        rest.end();
        const parts = [sha256(application), Buffer.of(flags), counter, sha256(data)];
        return { message: Buffer.concat(parts), signature: readSignature(signature), verifier };
      },
    };
  };
}

const readSkEd25519 = readSecurityKey(
  'sk-ssh-ed25519@openssh.com',
  (reader) => algorithms.ed25519.verifier(reader.string()),
  (signature) => signature,
);

const readSkEcdsa = readSecurityKey(
  'sk-ecdsa-sha2-nistp256@openssh.com',
  (reader) => readPoint(reader, p256),
  (signature) => readNumbers(signature, p256),
);

/** By the type that a key blob begins with. In a certificate each has its own members, in the same order. */
export const keyTypes: ReadonlyMap<string, ReadKey> = new Map([
  ['ssh-ed25519', readEd25519],
  ['ecdsa-sha2-nistp256', readEcdsa(p256)],
  ['ecdsa-sha2-nistp384', readEcdsa(p384)],
  ['ecdsa-sha2-nistp521', readEcdsa(p521)],
  ['ssh-rsa', readRsa],
  ['sk-ssh-ed25519@openssh.com', readSkEd25519],
  ['sk-ecdsa-sha2-nistp256@openssh.com', readSkEcdsa],
]);

/** The key of a blob; null for a type that is not known here. Throws SshFormatError for a blob that is none. */
export function readVerificationKey(blob: Buffer): VerificationKey | null {
  const reader = new SshReader(blob);
  const read = keyTypes.get(reader.text());
  if (read === undefined) return null;
  const key = read(reader);
  reader.end();
  return key;
}

/** Whether `signature`, a blob, is that of the key over `data`. Throws SshFormatError for a blob that is none. */
export function blobVerifies(key: VerificationKey, signature: Buffer, data: Uint8Array): boolean {
  const { message, signature: made, verifier } = claimIn(key, signature, data);
  return verifier?.verify(message, made) ?? false;
}

/** As `blobVerifies`, in the thread pool. Rejects as that throws. */
export async function blobVerifiesInPool(
  key: VerificationKey,
  signature: Buffer,
  data: Uint8Array,
): Promise<boolean> {
  const { message, signature: made, verifier } = claimIn(key, signature, data);
  return (await verifier?.verifyInPool(message, made)) ?? false;
}

function claimIn(key: VerificationKey, signature: Buffer, data: Uint8Array): Claim {
  const reader = new SshReader(signature);
  return key.claim(reader.text(), reader, data);
}

function requireType(type: string, known: readonly string[]): void {
  if (known.includes(type)) return;
  throw new SshFormatError('a signature of another kind than its key');
}

function readPoint(reader: SshReader, { name, size, hash, spkiPrefix }: Curve): Verifier {
  if (reader.text() !== name) throw new SshFormatError('a key of another curve');
  const point = reader.string();
  if (point.length !== 1 + 2 * size || point[0] !== 4) {
    throw new SshFormatError('a key that is no uncompressed point');
  }
  const der = Buffer.concat([spkiPrefix, point]);
  const key = readable(() => createPublicKey({ key: der, format: 'der', type: 'spki' }));
  return verifierWith(hash, { key, dsaEncoding: 'ieee-p1363' });
}

/** r and s behind each other, as node takes them. */
function readNumbers(bytes: Buffer, { size }: Curve): Buffer {
  const numbers = new SshReader(bytes);
  const raw = Buffer.concat([numbers.mpint(size), numbers.mpint(size)]);
  numbers.end();
  return raw;
}

function keyObject(jwk: JsonWebKey): KeyObject {
  return readable(() => createPublicKey({ key: jwk, format: 'jwk' }));
}

function readable(make: () => KeyObject): KeyObject {
  try {
    return make();
  } catch {
    throw new SshFormatError('a key that is none');
  }
}
