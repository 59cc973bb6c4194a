/** A JSON object as it was written. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A public key as a JSON Web Key: RFC 8037 for Ed25519; RFC 7518, section 6.2, for P-256. */
export type PublicJwk = {
  readonly kid: string;
  readonly use: 'sig';
  /** JWS `alg`: EdDSA (RFC 8037) or Ed25519 (RFC 9864), which is the same; ES256 for P-256. */
  readonly alg: 'EdDSA' | 'Ed25519' | 'ES256';
} & (
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | {
      readonly kty: 'EC';
      readonly crv: 'P-256';
      readonly x: string;
      readonly y: string;
    }
);

/** The result of `jwks`, a JWK Set (RFC 7517, section 5). */
export interface PublicJwkSet {
  readonly keys: readonly PublicJwk[];
}

/** The result of `jwt_sign`. */
export interface SignedJwt {
  readonly token: string;
  readonly kid: string;
  /** 16 random bytes, base64url. */
  readonly jti: string;
  /** `exp` as RFC 3339. */
  readonly expires_at: string;
}

/** Every rule that a token can break, in the order in which they are asked. */
export const jwtRules = [
  'form', // three parts of base64url
  'header', // a JSON object, no member twice
  'extension', // neither crit nor b64
  'typ', // JWT, where it says one; or the one that was asked for
  'kid', // names a key that is valid now
  'alg', // is that key's own
  'signature',
  'claims', // a JSON object, no member twice
  'exp', // there, a time, and not come yet
  'nbf', // a time that has come
  'iat', // a time that has come
  'aud', // as it was asked for
] as const;
export type JwtRule = (typeof jwtRules)[number];

/** The result of `jwt_verify`, in the wire's shape. */
export type JwtVerification =
  | {
      readonly valid: true;
      readonly kid: string;
      readonly header: JsonObject;
      readonly claims: JsonObject;
      /** `exp` as RFC 3339. */
      readonly expires_at: string;
    }
  | {
      readonly valid: false;
      /** The key that made the signature; null before that is known. */
      readonly kid: string | null;
      readonly rule: JwtRule;
      readonly reason: string;
    };
