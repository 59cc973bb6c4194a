import type { JsonObject, JwtVerification, PublicJwkSet, SignedJwt } from '../api/jwt.ts';
import type { KeyCallOptions, KeyringCallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

export interface JwtSignOptions extends KeyCallOptions {
  /** Whole seconds until the token expires, 1 or more; at most the grace of the keyring. */
  readonly ttlSeconds: number;
  /** `aud`; where not given, as the claims have it. */
  readonly audience?: string | readonly string[] | undefined;
  /** `sub`; where not given, as the claims have it. */
  readonly subject?: string | undefined;
  /** JWS `alg` of the header; where not given, what the keyring is set to, else the usual one of its algorithm. */
  readonly alg?: string | undefined;
  /** `typ` of the header, such as `at+jwt` (RFC 9068); `JWT` where not given. */
  readonly typ?: string | undefined;
}

export interface JwtVerifyOptions extends KeyringCallOptions {
  /** Who reads the token. One that is for somebody is refused where this is not given. */
  readonly audience?: string | undefined;
  /** How far the signer's clock may be off, whole seconds, 0 to 600; 0 where not given. */
  readonly clockSkewSeconds?: number | undefined;
  /** The `typ` that the header must have, such as `at+jwt`; where not given, `JWT` or none. */
  readonly typ?: string | undefined;
}

/** JSON Web Tokens of a keyring (RFC 7519), and its JWK Set (RFC 7517). */
export interface JwtCalls {
  /**
   * The active key, those in grace, and the prepared one, in this order.
   *
   * @throws {AgentError} `not_found`, `locked`, `backend_unavailable`.
   */
  jwks(options?: KeyringCallOptions): Promise<PublicJwkSet>;
  /**
   * A token with these claims. The agent sets `iat`, `nbf`, `exp` and `jti`; claims that have one of them are refused.
   * Issuer, audience and life may be fixed by the configuration, which fills in what is left out. Needs purpose `jwt`.
   *
   * @throws {AgentError} `invalid_params` for claims that cannot be signed or are not the configuration's, or a token
   * that would outlive its key;
   * otherwise as `sign`.
   */
  jwtSign(claims: JsonObject, options: JwtSignOptions): Promise<SignedJwt>;
  /**
   * Strict, against the keys that are valid now. A token that does not hold is an answer, with the rule that it
   * breaks, and not an error.
   *
   * @throws {AgentError} `invalid_params`, `not_found`, `locked`, `backend_unavailable`.
   */
  jwtVerify(token: string, options?: JwtVerifyOptions): Promise<JwtVerification>;
}

export function jwtCalls(wire: Wire): JwtCalls {
  return {
    jwks: (options = {}) => wire.askKeyring('jwks', {}, options),
    jwtSign: (claims, options) => {
      const { kid, ttlSeconds, audience, subject, alg, typ } = options;
      const params = { kid, claims, ttl_seconds: ttlSeconds, audience, subject, alg, typ };
      return wire.askKeyring('jwt_sign', params, options);
    },
    jwtVerify: (token, options = {}) => {
      const { audience, clockSkewSeconds, typ } = options;
      const params = { token, audience, clock_skew_seconds: clockSkewSeconds, typ };
      return wire.askKeyring('jwt_verify', params, options);
    },
  };
}
