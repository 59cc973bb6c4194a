import { decodeBase64 } from '../../base/base64.ts';
import {
  keyAlgorithm,
  linesOf,
  MinisignFormatError,
  prehashedAlgorithm,
  trustedPrefix,
  untrustedPrefix,
} from './format.ts';
import { keyIdLength } from './key-id.ts';

export interface MinisignSignature {
  /** True: it signs the BLAKE2b-512 of the file; false, the older form: the file itself. */
  readonly isPrehashed: boolean;
  readonly keyId: Buffer;
  /** 64 bytes. */
  readonly signature: Buffer;
  /** Bytes as they stand there, UTF-8 by custom. */
  readonly trustedComment: Buffer;
  /** 64 bytes over signature and trusted comment. */
  readonly globalSignature: Buffer;
}

const signatureLength = 64;

/** What the global signature signs. */
export function globalMessage(signature: Uint8Array, trustedComment: Uint8Array): Buffer {
  return Buffer.concat([signature, trustedComment]);
}

/** The four lines of a signature file. The untrusted comment is one line that nothing vouches for. */
export function encodeSignatureFile(made: MinisignSignature, untrustedComment: string): string {
  const algorithm = made.isPrehashed ? prehashedAlgorithm : keyAlgorithm;
  const signature = Buffer.concat([Buffer.from(algorithm), made.keyId, made.signature]);
  const lines = [
    untrustedPrefix + untrustedComment,
    signature.toString('base64'),
    trustedPrefix + made.trustedComment.toString('utf8'),
    made.globalSignature.toString('base64'),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Reads a signature file; lines may end in CRLF. Throws MinisignFormatError. */
export function decodeSignatureFile(file: Buffer): MinisignSignature {
  const [untrusted = '', signature = '', trusted = '', global = '', ...more] = linesOf(file);
  if (!untrusted.startsWith(untrustedPrefix)) {
    throw new MinisignFormatError('it does not begin with an untrusted comment');
  }
  if (!trusted.startsWith(trustedPrefix)) {
    throw new MinisignFormatError('its third line is no trusted comment');
  }
  if (more.length > 0) throw new MinisignFormatError('it has more than four lines');
  const globalSignature = decodeBase64(global);
  if (globalSignature?.length !== signatureLength) {
    throw new MinisignFormatError('its fourth line is no signature of the trusted comment');
  }
  return {
    ...readSignature(signature),
    trustedComment: Buffer.from(trusted.slice(trustedPrefix.length), 'latin1'),
    globalSignature,
  };
}

function readSignature(
  encoded: string,
): Pick<MinisignSignature, 'isPrehashed' | 'keyId' | 'signature'> {
  const bytes = decodeBase64(encoded);
  const keyIdAt = keyAlgorithm.length;
  const at = keyIdAt + keyIdLength;
  if (bytes?.length !== at + signatureLength) {
    throw new MinisignFormatError('its second line is no signature');
  }
  const algorithm = bytes.toString('latin1', 0, keyIdAt);
  if (algorithm !== prehashedAlgorithm && algorithm !== keyAlgorithm) {
    throw new MinisignFormatError('its algorithm is not known here');
  }
  return {
    isPrehashed: algorithm === prehashedAlgorithm,
    keyId: bytes.subarray(keyIdAt, at),
    signature: bytes.subarray(at),
  };
}
