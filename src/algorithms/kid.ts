import { hash } from 'node:crypto';

/** Key id: the first 8 lowercase hex digits of SHA-256 over the raw public key bytes (docs/protocol.md). */
export function kidOf(publicKey: Uint8Array): string {
  return hash('sha256', publicKey, 'hex').slice(0, 8);
}

const form = /^[0-9a-f]{8}$/;

export function isKid(text: string): boolean {
  return form.test(text);
}
