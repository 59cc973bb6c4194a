import type { JoseAlg } from '../../../algorithms/algorithm-names.ts';
import type { AlgorithmName } from '../../../api/signing-backend.ts';

/** A public key as somebody gave it: whether it is an acceptable point is not yet known. */
export interface GivenKey {
  readonly algorithm: AlgorithmName;
  /** Ed25519: 32 bytes. ES256: 65 bytes, 04 first. */
  readonly bytes: Buffer;
  /** What its JWK says it is for, where it says so. */
  readonly alg?: JoseAlg;
  /** 8 bytes, where it was given in a form of minisign. */
  readonly minisignKeyId?: Buffer;
}
