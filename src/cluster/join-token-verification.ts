import type { JoinTokenVerdict } from '../api/join-tokens.ts';
import type { TrustBundle } from '../api/cluster.ts';
import { quoted } from '../base/errors.ts';
import type { KeyStatus } from '../api/signing-backend.ts';
import { kidOf } from '../algorithms/kid.ts';
import { hasCome, parseTime } from '../base/rfc3339.ts';
import { algorithms } from '../algorithms/algorithm.ts';
import { faultOfCaCert } from './ca-cert.ts';
import { fingerprintOf, inGroups } from '../base/fingerprint.ts';
import { bytesOf } from './document.ts';
import {
  claimsSignedBytes,
  decodeJoinToken,
  type FederatedJoinToken,
  type JoinToken,
} from './join-token.ts';

/** What a token is compared with. */
export interface JoinTokenGround {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A key of the cluster's keyring, whatever its status; null for every other kid. */
  keyOf(kid: string): { readonly status: KeyStatus; readonly publicKey: Uint8Array } | null;
  bundleOf(domain: string): TrustBundle | null;
  isRevoked(token: JoinToken): boolean;
}

type Failure = Required<Pick<JoinTokenVerdict, 'rule' | 'reason'>>;

type Signer = { readonly publicKey: Uint8Array } & (
  | { readonly via: 'local' }
  | {
      readonly via: 'federated';
      readonly cluster_domain: string;
      readonly ca_fingerprint: string;
    }
);

/** Never throws for what the token is. Keys of the cluster are Ed25519. */
export async function verifyJoinToken(
  given: string,
  ground: JoinTokenGround,
): Promise<JoinTokenVerdict> {
  const decoded = decodeJoinToken(given);
  if ('rule' in decoded) return { valid: false, ...decoded };
  const { token } = decoded;
  const { v, kid, claims } = token;
  const signer = await signerOf(token, ground);
  if ('rule' in signer) return { valid: false, ...signer, v, kid };
  const { publicKey, ...through } = signer;
  const verifier = algorithms.ed25519.verifier(publicKey);
  if (!(await verifier?.verifyInPool(claimsSignedBytes(claims), bytesOf(token.sig)))) {
    const reason = `key ${kid} did not sign these claims`;
    return { valid: false, rule: 'signature', reason, v, kid, ...through };
  }
  const verified = { v, kid, claims, ...through };
  const failure = faultOfLife(token, ground);
  return failure === null
    ? { valid: true, ...verified }
    : { valid: false, ...failure, ...verified };
}

/** A kid that is known here is judged here alone, and the certificate is not looked at. */
async function signerOf(token: JoinToken, ground: JoinTokenGround): Promise<Signer | Failure> {
  const { kid } = token;
  const key = ground.keyOf(kid);
  if (key === null) {
    if (token.v === 2) return await certified(token, ground);
    return { rule: 'kid', reason: `there is no key ${kid} here, and the token has no ca_chain` };
  }
  const { status, publicKey } = key;
  if (status === 'active' || status === 'grace') return { via: 'local', publicKey };
  return { rule: 'kid_not_valid', reason: `key ${kid} is ${notValid[status]}` };
}

const notValid = {
  prepared: 'prepared, and signs nothing yet',
  revoked: 'revoked',
  retired: 'valid no more: its grace has ended',
};

async function certified(
  { kid, ca_chain: certificate }: FederatedJoinToken,
  ground: JoinTokenGround,
): Promise<Signer | Failure> {
  const { cluster_domain, active_kid, expires_at } = certificate;
  const bundle = ground.bundleOf(cluster_domain);
  if (bundle === null) {
    const reason = `there is no key ${kid} here, and no trust bundle of ${quoted(cluster_domain)}`;
    return { rule: 'chain_domain', reason };
  }
  const caKey = bytesOf(bundle.ca_public_key_b64);
  const ca_fingerprint = fingerprintOf(caKey);
  switch (await faultOfCaCert(certificate, caKey, ground.now)) {
    case 'signature':
      return {
        rule: 'chain_signature',
        reason:
          `CA ${bundle.ca_kid} of ${quoted(cluster_domain)}, SHA-256 ${inGroups(ca_fingerprint)}, did not sign the ` +
          'certificate',
      };
    case 'expired':
      return { rule: 'chain_expired', reason: `the certificate expired at ${expires_at}` };
    case null:
      break;
  }
  const publicKey = bytesOf(certificate.active_pubkey_b64);
  // Or a certificate could name a revoked key of this agent by another kid.
  if (active_kid !== kid || kidOf(publicKey) !== kid) {
    const reason = `the certificate is of key ${kidOf(publicKey)}, called ${active_kid}, not of ${kid}`;
    return { rule: 'chain_kid', reason };
  }
  return { via: 'federated', cluster_domain, ca_fingerprint, publicKey };
}

function faultOfLife(token: JoinToken, ground: JoinTokenGround): Failure | null {
  const { exp } = token.claims;
  const ends = parseTime(exp);
  if (ends === null || hasCome(ends, ground.now)) {
    return { rule: 'expired', reason: `it expired at ${exp}` };
  }
  return ground.isRevoked(token) ? { rule: 'revoked', reason: 'it was revoked' } : null;
}
