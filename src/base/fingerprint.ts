import { hash } from 'node:crypto';

const groups = /^(?:[0-9a-f]{4}){16}$/;

/** SHA-256 of a key's bytes: 64 lowercase hex digits. */
export function fingerprintOf(publicKey: Uint8Array): string {
  return hash('sha256', publicKey, 'hex');
}

/** As people compare it, aloud too: 16 groups of four digits. */
export function inGroups(fingerprint: string): string {
  return fingerprint.match(/.{1,4}/g)?.join(' ') ?? '';
}

/** A fingerprint as it was typed or read out, in groups or not; null for what is not all of one. */
export function readFingerprint(text: string): string | null {
  const digits = text.replace(/[\s:-]/g, '').toLowerCase();
  return groups.test(digits) ? digits : null;
}
