/** What whoever joins a cluster is told of it. Texts and RFC 3339 times are kept as they were written. */
export interface JoinClaims {
  readonly api_endpoint: string;
  readonly raft_endpoint: string;
  readonly leader_wg_pubkey: string;
  readonly overlay_cidr: string;
  readonly exp: string;
  readonly iat: string;
  readonly iss: string;
}

/** The claims that a token is asked for with; times that are left out are the agent's to say. */
export type WantedJoinClaims = Omit<JoinClaims, 'exp' | 'iat'> & {
  readonly exp?: string | undefined;
  readonly iat?: string | undefined;
};

/** The result of `join_token_mint`. */
export interface MintedJoinToken {
  readonly token: string;
  readonly kid: string;
  /** `exp` of its claims. */
  readonly expires_at: string;
  readonly v: 1 | 2;
  /** Of a federated one: from then on no other cluster believes the certificate, nor the token. */
  readonly chain_expires_at?: string;
}

/** The rules that a token may fail, in the order in which they are checked. */
export const joinTokenRules = [
  /** It is base64 of a document as the format has it. */
  'format',
  /** Version 1 without a certificate, or 2 with one. */
  'version',
  /** The key is known: here, or for version 2 through the certificate. */
  'kid',
  /** A key that is known here is active or in grace; no certificate brings another one back. */
  'kid_not_valid',
  /** There is a trust bundle of the certificate's domain. */
  'chain_domain',
  /** The certificate is signed by the CA of that bundle. */
  'chain_signature',
  'chain_expired',
  /** The certificate is that of the token's key. */
  'chain_kid',
  /** The key signed the claims. */
  'signature',
  'expired',
  'revoked',
] as const;
export type JoinTokenRule = (typeof joinTokenRules)[number];

/** The result of `join_token_verify`. What a member says of the token was verified, but for `v` and `kid`. */
export interface JoinTokenVerdict {
  readonly valid: boolean;
  /** The first rule that failed; left out of a token that is valid. */
  readonly rule?: JoinTokenRule;
  readonly reason?: string;
  readonly v?: 1 | 2;
  readonly kid?: string;
  /** Once the signature has verified: also of a token that has expired or was revoked. */
  readonly claims?: JoinClaims;
  /** Whose key signed: one of this agent's, or one that a certificate of `cluster_domain` vouches for. */
  readonly via?: 'local' | 'federated';
  readonly cluster_domain?: string;
  /** Of `cluster_domain`, the CA that vouches for it: SHA-256 of its key, 64 lowercase hex digits. */
  readonly ca_fingerprint?: string;
}

/** The result of `join_token_revoke`. Times are RFC 3339. */
export interface RevokedTokenView {
  /** SHA-256 of the token, 64 lowercase hex digits. */
  readonly hash: string;
  /** `hash`: nothing else of the token is known. */
  readonly by: 'token' | 'hash';
  readonly kid: string | null;
  readonly revoked_at: string;
  readonly expires_at: string;
}

/** The result of `join_token_revocations`: the last ones first. */
export interface RevokedTokenList {
  readonly revocations: readonly RevokedTokenView[];
  /** Revocations before those that are listed; left out where there are none. */
  readonly older?: number;
}
