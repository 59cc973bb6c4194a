import * as z from 'zod';
import type { CaCert } from '../api/cluster.ts';
import { hasCome, parseTime } from '../base/rfc3339.ts';
import { algorithms } from '../algorithms/algorithm.ts';
import { bytesOf, members, parseDocument, utf8 } from './document.ts';

export const caCertSchema = z.strictObject({
  v: z.literal(1, 'is of a version that is not known here'),
  active_kid: members.kid,
  active_pubkey_b64: members.publicKey,
  issued_at: members.time,
  expires_at: members.time,
  cluster_domain: members.domain,
  sig_by_ca: members.signature,
});

/** Throws DocumentError. */
export function parseCaCert(json: string): CaCert {
  return inOrder(parseDocument(json, caCertSchema, 'the certificate'));
}

/** Compact JSON, the members in the order of the format. */
export function caCertText(certificate: CaCert): string {
  return JSON.stringify(inOrder(certificate));
}

/** What the CA signs: the certificate with an empty `sig_by_ca`. */
export function caCertSignedBytes(certificate: Omit<CaCert, 'sig_by_ca'>): Buffer {
  return utf8(JSON.stringify(inOrder({ ...certificate, sig_by_ca: '' })));
}

/** Why a certificate does not hold. */
export type CaCertFault = 'signature' | 'expired';

/**
 * null where it holds: the CA's signature verifies strictly (in the thread pool), and it has not expired. The domain is for the caller to
 * match. `now`: milliseconds since the epoch.
 */
export async function faultOfCaCert(
  certificate: CaCert,
  caPublicKey: Uint8Array,
  now: number,
): Promise<CaCertFault | null> {
  const verifier = algorithms.ed25519.verifier(caPublicKey);
  const signature = bytesOf(certificate.sig_by_ca);
  if (!(await verifier?.verifyInPool(caCertSignedBytes(certificate), signature))) {
    return 'signature';
  }
  return hasExpired(certificate, now) ? 'expired' : null;
}

/** Strict verification, at once: up to 0.1 ms. */
export function isSignedBy(certificate: CaCert, caPublicKey: Uint8Array): boolean {
  const signed = caCertSignedBytes(certificate);
  return algorithms.ed25519.verify(signed, bytesOf(certificate.sig_by_ca), caPublicKey);
}

/** `now`: milliseconds since the epoch. */
export function hasExpired({ expires_at }: CaCert, now: number): boolean {
  const expires = parseTime(expires_at);
  return expires === null || hasCome(expires, now);
}

export function inOrder(certificate: CaCert): CaCert {
  const { v, active_kid, active_pubkey_b64, issued_at, expires_at } = certificate;
  const { cluster_domain, sig_by_ca } = certificate;
  return { v, active_kid, active_pubkey_b64, issued_at, expires_at, cluster_domain, sig_by_ca };
}
