import type {
  JoinTokenVerdict,
  MintedJoinToken,
  RevokedTokenList,
  RevokedTokenView,
  WantedJoinClaims,
} from '../api/join-tokens.ts';
import type { CallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

/**
 * Join tokens of the cluster. Every function also rejects with `not_supported` without a `[cluster]` in the
 * configuration, and with `locked` or `backend_unavailable` while the cluster's keyring cannot be used.
 */
export interface JoinTokenCalls {
  /**
   * A token that the active key of the cluster signs. `ttlSeconds`: whole, 1 or more, in place of `claims.exp`; where
   * neither is given, a day. `federated`: with the certificate of the key, for other clusters.
   *
   * @throws {AgentError} `invalid_params` for claims or times that do not fit; `not_found` where a federated token is
   * asked for and the key has no certificate; `too_large`, `rate_limited`, `audit_unavailable`; `not_supported`,
   * `locked`, `backend_unavailable`.
   */
  joinTokenMint(
    claims: WantedJoinClaims,
    options?: CallOptions & {
      readonly ttlSeconds?: number | undefined;
      readonly federated?: boolean | undefined;
    },
  ): Promise<MintedJoinToken>;
  /**
   * A token that does not hold is an answer, with the rule that it breaks, and not an error.
   *
   * @throws {AgentError} `not_supported`, `locked`, `backend_unavailable`.
   */
  joinTokenVerify(token: string, options?: CallOptions): Promise<JoinTokenVerdict>;
  /**
   * The last thousand, the last one first.
   *
   * @throws {AgentError} `not_supported`, `locked`, `backend_unavailable`.
   */
  joinTokenRevocations(options?: CallOptions): Promise<RevokedTokenList>;
  /**
   * The token is refused until it expires. `hash`: its SHA-256, 64 lowercase hex digits, where the token itself is not
   * at hand; that holds for 24 hours.
   *
   * @throws {AgentError} `invalid_params` for what is no token; `too_large` where there are as many revocations as
   * there may be; `conflict`, `audit_unavailable`; `not_supported`, `locked`, `backend_unavailable`.
   */
  joinTokenRevoke(
    what: { readonly token: string } | { readonly hash: string },
    options?: CallOptions,
  ): Promise<RevokedTokenView>;
}

export function joinTokenCalls(wire: Wire): JoinTokenCalls {
  return {
    joinTokenMint: (claims, options = {}) => {
      const { ttlSeconds, federated } = options;
      return wire.ask('join_token_mint', { claims, ttl_seconds: ttlSeconds, federated }, options);
    },
    joinTokenVerify: (token, options = {}) => wire.ask('join_token_verify', { token }, options),
    joinTokenRevocations: (options = {}) => wire.ask('join_token_revocations', {}, options),
    joinTokenRevoke: (what, options = {}) => wire.ask('join_token_revoke', what, options),
  };
}
