import type { AlgorithmName } from '../api/signing-backend.ts';

/** JWS `alg`: RFC 8037, section 3.1; RFC 9864, section 2.2; RFC 7518, section 3.1. */
export type JoseAlg = 'EdDSA' | 'Ed25519' | 'ES256';

/**
 * What other formats call an algorithm and its public keys, one entry each. Apart from `algorithm.ts`, which has what
 * it takes to use them: who only reads or writes a format does without.
 */
export interface AlgorithmNames {
  /** Bytes of a raw public key. */
  readonly publicKeyLength: number;
  /**
   * JWS `alg` as it is written unless somebody says otherwise, and every one that these keys sign with; JWK `kty` and
   * `crv` (RFC 8037; RFC 7518, section 6.2).
   */
  readonly jose: { readonly alg: JoseAlg; readonly algs: readonly JoseAlg[] } & (
    { readonly kty: 'OKP'; readonly crv: 'Ed25519' } | { readonly kty: 'EC'; readonly crv: 'P-256' }
  );
  /** Of keys and of signatures (RFC 8709; RFC 5656, section 3.1); `curve` is null where a key names none. */
  readonly ssh:
    | { readonly type: 'ssh-ed25519'; readonly curve: null }
    | { readonly type: 'ecdsa-sha2-nistp256'; readonly curve: 'nistp256' };
  /** DER of a SubjectPublicKeyInfo up to the raw public key (RFC 8410, section 4; RFC 5480, section 2). */
  readonly spkiPrefix: Buffer;
}

export const algorithmNames: Readonly<Record<AlgorithmName, AlgorithmNames>> = {
  ed25519: {
    publicKeyLength: 32,
    jose: { alg: 'EdDSA', algs: ['EdDSA', 'Ed25519'], kty: 'OKP', crv: 'Ed25519' },
    ssh: { type: 'ssh-ed25519', curve: null },
    spkiPrefix: Buffer.from('302a300506032b6570032100', 'hex'),
  },
  es256: {
    publicKeyLength: 65, // the uncompressed point
    jose: { alg: 'ES256', algs: ['ES256'], kty: 'EC', crv: 'P-256' },
    ssh: { type: 'ecdsa-sha2-nistp256', curve: 'nistp256' },
    spkiPrefix: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
  },
};
