import type { CaCert } from '../api/cluster.ts';
import type {
  JoinClaims,
  JoinTokenVerdict,
  MintedJoinToken,
  RevokedTokenList,
  RevokedTokenView,
} from '../api/join-tokens.ts';
import { encodeBase64 } from '../base/base64.ts';
import { AgentError } from '../base/errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { CertificateSource } from './certificate-source.ts';
import { claimsFor, refuseLongLife, type WantedClaims } from './join-token-claims.ts';
import { verifyJoinToken } from './join-token-verification.ts';
import { claimsSignedBytes, encodeJoinToken, longestToken, type JoinToken } from './join-token.ts';
import type { Revocable, RevokedTokens } from './revoked-tokens.ts';
import type { TrustBundles } from './trust-bundles.ts';

type ClusterKeyring = Pick<Keyring, 'activeKid' | 'keyOf' | 'sign' | 'trustedNow'>;

export interface JoinTokensParts {
  /** The cluster's keyring. Throws where it cannot be used. */
  readonly keyring: () => ClusterKeyring;
  readonly certificates: CertificateSource;
  readonly bundles: Pick<TrustBundles, 'bundleOf'>;
  readonly revoked: RevokedTokens;
  /** How long from its making on a token may be valid, seconds. */
  readonly longestSeconds: number;
}

export interface JoinTokenRequest {
  readonly claims: WantedClaims;
  readonly ttlSeconds: number | undefined;
  /** With the certificate of its key. */
  readonly federated: boolean;
}

/** The join tokens of the cluster: signed by its active key, judged by the time that its keys go by. */
export class JoinTokens {
  readonly #parts: JoinTokensParts;

  constructor(parts: JoinTokensParts) {
    this.#parts = parts;
  }

  /**
   * Rejects with `invalid_params` for times that do not fit, or a life over the limit, `too_large`, and `not_found` for a federated one where
   * the active key has no certificate.
   */
  async mint(request: JoinTokenRequest): Promise<MintedJoinToken> {
    const keyring = this.#parts.keyring();
    const kid = keyring.activeKid();
    const now = this.#now(keyring);
    const claims = claimsFor(request.claims, request.ttlSeconds, now);
    refuseLongLife(claims, now, this.#parts.longestSeconds);
    const certificate = request.federated ? await this.#certificateFor(kid) : null;
    requireFits(tokenOf(kid, claims, new Uint8Array(64), certificate));
    let signature: Uint8Array;
    try {
      ({ signature } = await keyring.sign(claimsSignedBytes(claims), kid));
    } catch (failure) {
      if (!isUnknownKid(failure) || keyring.activeKid() === kid) throw failure;
      return await this.mint(request); // the key was rotated away, with no grace
    }
    const token = tokenOf(kid, claims, signature, certificate);
    const minted = { token: encodeJoinToken(token), kid, expires_at: claims.exp, v: token.v };
    return token.v === 1 ? minted : { ...minted, chain_expires_at: token.ca_chain.expires_at };
  }

  async verify(given: string): Promise<JoinTokenVerdict> {
    const keyring = this.#parts.keyring();
    const { bundles, revoked } = this.#parts;
    const now = this.#now(keyring);
    return await verifyJoinToken(given, {
      now,
      keyOf: (kid) => keyring.keyOf(kid),
      bundleOf: (domain) => bundles.bundleOf(domain),
      isRevoked: (token) => revoked.has(given, token, now),
    });
  }

  /** What does not verify can be revoked too. Rejects with `too_large` where there are too many. */
  revoke(what: Revocable): Promise<RevokedTokenView> {
    return this.#parts.revoked.revoke(what, this.#now(this.#parts.keyring()));
  }

  revocations(): Promise<RevokedTokenList> {
    return this.#parts.revoked.list(this.#now(this.#parts.keyring()));
  }

  #now(keyring: ClusterKeyring): number {
    return this.#parts.revoked.timeOf(keyring.trustedNow());
  }

  /** Another program may just have made the key, and nobody has looked at it since. */
  async #certificateFor(kid: string): Promise<CaCert> {
    const { certificates } = this.#parts;
    let certificate = certificates.certificateFor(kid);
    if (certificate === null) {
      await certificates.issueDue();
      certificate = certificates.certificateFor(kid);
    }
    if (certificate !== null) return certificate;
    throw new AgentError(
      'not_found',
      `key ${kid} has no certificate of the cluster's CA that has not expired: an admin issues one (agentctl ca issue)`,
      { details: { kid } },
    );
  }
}

function tokenOf(
  kid: string,
  claims: JoinClaims,
  signature: Uint8Array,
  certificate: CaCert | null,
): JoinToken {
  const signed = { kid, claims, sig: encodeBase64(signature) };
  return certificate === null ? { v: 1, ...signed } : { v: 2, ...signed, ca_chain: certificate };
}

/** Before it is signed: one that nobody would read is not made. */
function requireFits(token: JoinToken): void {
  const { length } = encodeJoinToken(token);
  if (length <= longestToken) return;
  throw new AgentError(
    'too_large',
    `the token would have ${length} characters, and ${longestToken} is the most: shorten its claims`,
    { details: { limit: longestToken } },
  );
}

function isUnknownKid(failure: unknown): boolean {
  return failure instanceof AgentError && failure.kind === 'unknown_kid';
}
