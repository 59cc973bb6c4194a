import * as z from 'zod';
import type { CaCert } from '../api/cluster.ts';
import type { JoinClaims } from '../api/join-tokens.ts';
import { decodeBase64, encodeBase64 } from '../base/base64.ts';
import { caCertSchema, inOrder } from './ca-cert.ts';
import { DocumentError, members, parseDocument, utf8 } from './document.ts';

interface Signed {
  /** The key that signed the claims. */
  readonly kid: string;
  readonly claims: JoinClaims;
  /** 64 bytes, base64url. */
  readonly sig: string;
}

interface LocalJoinToken extends Signed {
  readonly v: 1;
}

/** Carries the certificate of its key, for verifiers of other clusters. */
export interface FederatedJoinToken extends Signed {
  readonly v: 2;
  readonly ca_chain: CaCert;
}

export type JoinToken = LocalJoinToken | FederatedJoinToken;

/** Characters that a token may have; a real one has some hundred. */
export const longestToken = 64 * 1024;

export const claimsSchema = z.strictObject({
  api_endpoint: members.text,
  raft_endpoint: members.text,
  leader_wg_pubkey: members.text,
  overlay_cidr: members.text,
  exp: members.time,
  iat: members.time,
  iss: members.text,
});

const signed = { kid: members.kid, claims: claimsSchema, sig: members.signature };
const local = z.strictObject({ v: z.literal(1), ...signed });
const federated = z.strictObject({ v: z.literal(2), ...signed, ca_chain: caCertSchema });
const anyVersion = z.looseObject({ v: z.unknown().optional(), ca_chain: z.unknown().optional() });

/** Why a text is not a join token. */
export interface JoinTokenFault {
  /** `version`: a `v` that is not known, or one that does not go with whether there is a `ca_chain`. */
  readonly rule: 'format' | 'version';
  readonly reason: string;
}

/** Reads base64url or standard base64, padded or not; space around it is not part of it. */
export function decodeJoinToken(text: string): { readonly token: JoinToken } | JoinTokenFault {
  const trimmed = text.trim();
  if (trimmed.length > longestToken) {
    return { rule: 'format', reason: `it is longer than ${longestToken} characters` };
  }
  const bytes = decodeBase64(trimmed);
  const json = bytes === null ? null : decodeUtf8(bytes);
  if (json === null) return { rule: 'format', reason: 'it is not base64 of UTF-8 text' };
  try {
    return parseToken(json);
  } catch (failure) {
    if (!(failure instanceof DocumentError)) throw failure;
    return { rule: 'format', reason: failure.message };
  }
}

function parseToken(json: string): { token: JoinToken } | JoinTokenFault {
  const what = 'the token';
  const { v, ca_chain: chain } = parseDocument(json, anyVersion, what);
  switch (v) {
    case 1:
      if (chain !== undefined) return versionFault('a token of version 1 carries no ca_chain');
      return { token: parseDocument(json, local, what) };
    case 2:
      if (chain === undefined) return versionFault('a token of version 2 carries a ca_chain');
      return { token: parseDocument(json, federated, what) };
    default:
      return versionFault('it is of a version that is not known here');
  }
}

function versionFault(reason: string): JoinTokenFault {
  return { rule: 'version', reason };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Base64url of the compact JSON, the members in the order of the format. */
export function encodeJoinToken(token: JoinToken): string {
  return encodeBase64(joinTokenBytes(token));
}

/** What the token is the base64 of. */
export function joinTokenBytes(token: JoinToken): Buffer {
  const { v, kid, sig } = token;
  const claims = claimsInOrder(token.claims);
  const chain = v === 2 ? { ca_chain: inOrder(token.ca_chain) } : {};
  return utf8(JSON.stringify({ v, kid, claims, sig, ...chain }));
}

/** What `sig` is over: the compact JSON of the claims, in the order of the format. */
export function claimsSignedBytes(claims: JoinClaims): Buffer {
  return utf8(JSON.stringify(claimsInOrder(claims)));
}

function claimsInOrder(claims: JoinClaims): JoinClaims {
  const { api_endpoint, raft_endpoint, leader_wg_pubkey, overlay_cidr, exp, iat, iss } = claims;
  return { api_endpoint, raft_endpoint, leader_wg_pubkey, overlay_cidr, exp, iat, iss };
}
