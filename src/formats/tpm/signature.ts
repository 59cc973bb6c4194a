import { sized, TpmFormatError, u16, type TpmReader } from './bytes.ts';
import { ALG } from './constants.ts';

/** TPMT_SIGNATURE (Part 2, 11.3.4) of the two schemes that are used or met here. */
export type TpmSignature =
  | {
      readonly scheme: 'ecdsa';
      readonly hash: number;
      readonly r: Uint8Array;
      readonly s: Uint8Array;
    }
  | { readonly scheme: 'rsassa'; readonly hash: number; readonly signature: Uint8Array };

export function readSignature(reader: TpmReader): TpmSignature {
  const scheme = reader.u16();
  if (scheme === ALG.ECDSA) {
    return { scheme: 'ecdsa', hash: reader.u16(), r: reader.sized(), s: reader.sized() };
  }
  if (scheme === ALG.RSASSA) {
    return { scheme: 'rsassa', hash: reader.u16(), signature: reader.sized() };
  }
  throw new TpmFormatError(`a signature of scheme 0x${scheme.toString(16)} is not known here`);
}

export function encodeSignature(signature: TpmSignature): Buffer {
  if (signature.scheme === 'ecdsa') {
    const { hash, r, s } = signature;
    return Buffer.concat([u16(ALG.ECDSA), u16(hash), sized(r), sized(s)]);
  }
  return Buffer.concat([u16(ALG.RSASSA), u16(signature.hash), sized(signature.signature)]);
}

const half = 32;

/** r‖s, 64 bytes, of a P-256 signature (RFC 7518, 3.4). A TPM may leave leading zeros out. Throws TpmFormatError. */
export function rawP256(signature: TpmSignature): Buffer {
  if (signature.scheme !== 'ecdsa' || signature.r.length > half || signature.s.length > half) {
    throw new TpmFormatError('it is no signature of a P-256 key');
  }
  const raw = Buffer.alloc(2 * half);
  raw.set(signature.r, half - signature.r.length);
  raw.set(signature.s, 2 * half - signature.s.length);
  return raw;
}
