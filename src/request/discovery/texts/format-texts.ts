import { ofKeyring, ofSigning, type MethodTexts } from './method-text.ts';

export const formatTexts: MethodTexts<
  'sign_sshsig' | 'sign_minisign' | 'sign_jws' | 'jwks' | 'jwt_sign' | 'jwt_verify'
> = {
  sign_sshsig: {
    summary: "An SSH signature (OpenSSH's PROTOCOL.sshsig) of a file, by its digest.",
    params: {
      namespace: 'What the signature is for: file, git, ...',
      hash_algorithm: 'Of the digest.',
      digest_b64: 'The digest of the file.',
    },
    errors: ofSigning,
  },
  sign_minisign: {
    summary: 'A minisign signature (prehashed) of a file, by its digest. Ed25519 keyrings alone.',
    params: {
      digest_b64: 'The BLAKE2b-512 of the file, 64 bytes.',
      trusted_comment: 'One line, signed too.',
    },
    errors: ofSigning,
  },
  sign_jws: {
    summary: 'A compact JWS (RFC 7515) over bytes. A JSON object as payload needs purpose jwt too.',
    params: {
      payload_b64: 'The payload.',
      headers:
        "More of the protected header, such as typ, or an alg of the key. kid is the agent's.",
    },
    errors: ofSigning,
  },
  jwks: {
    summary: 'The active key, those in grace and the prepared one, as a JWK Set (RFC 7517).',
    errors: ofKeyring,
  },
  jwt_sign: {
    summary: 'A JSON Web Token (RFC 7519). The agent sets iat, nbf, exp and jti.',
    params: {
      claims: 'The other claims.',
      ttl_seconds: 'How long it is valid.',
      audience: 'The aud claim.',
      subject: 'The sub claim.',
      alg: 'EdDSA and Ed25519 name the same; without it EdDSA, or ES256.',
    },
    errors: ofSigning,
  },
  jwt_verify: {
    summary:
      'Verifies a token strictly, by the keys that are valid now. A token that does not hold is an answer, not an error.',
    params: {
      token: 'The token.',
      typ: 'What the typ of the header must be; without it JWT, where there is one.',
      audience: 'What aud must have. A token with an aud needs it.',
      clock_skew_seconds: 'How far the clock of the signer may be off.',
    },
    errors: ofKeyring,
  },
};
