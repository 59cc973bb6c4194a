import { hash } from 'node:crypto';
import { encodeBase64 } from '../base/base64.ts';
import { bytesOf } from './document.ts';
import { claimsSignedBytes, joinTokenBytes, type JoinToken } from './join-token.ts';

/**
 * Which token a token is, however it is written. Its bearer chooses the alphabet of the base64 and its padding, the
 * space in the JSON and the order of its members, and for a federated one the certificate, which nothing in the token
 * signs. What nobody can choose is what was signed, and by which key.
 */

/** Lowercase hex SHA-256 of a token as it was given, without the space around it. */
export function tokenHash(text: string): string {
  return hash('sha256', text.trim(), 'hex');
}

/**
 * Lowercase hex SHA-256 over the kid and the signed bytes: the same for every spelling, of either version and with
 * any certificate.
 */
export function signedHash({ kid, claims }: JoinToken): string {
  return hash('sha256', Buffer.concat([Buffer.from(kid), claimsSignedBytes(claims)]), 'hex');
}

/**
 * The hashes that somebody may have noted of this token: as it was given, and as others would write it, with and
 * without its certificate. Not with one that it does not carry: of that only `signedHash` knows.
 */
export function hashesOf(given: string, token: JoinToken): readonly string[] {
  const written = [token, withoutChain(token)].flatMap((one) => [one, respelled(one)]);
  const spellings = written.flatMap((one) => spellingsOf(joinTokenBytes(one)));
  return [...new Set([given, ...spellings].map(tokenHash))];
}

function withoutChain({ kid, claims, sig }: JoinToken): JoinToken {
  return { v: 1, kid, claims, sig };
}

/** With its signatures as the format has them: base64url without padding. */
function respelled(token: JoinToken): JoinToken {
  const sig = respell(token.sig);
  if (token.v === 1) return { ...token, sig };
  return {
    ...token,
    sig,
    ca_chain: { ...token.ca_chain, sig_by_ca: respell(token.ca_chain.sig_by_ca) },
  };
}

function respell(base64: string): string {
  return encodeBase64(bytesOf(base64));
}

function spellingsOf(bytes: Buffer): readonly string[] {
  const standard = bytes.toString('base64');
  const urlSafe = standard.replaceAll('+', '-').replaceAll('/', '_');
  return [urlSafe, standard].flatMap((text) => [text, text.replace(/=+$/, '')]);
}
