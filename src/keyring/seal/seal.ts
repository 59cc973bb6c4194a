import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Seal } from '../../vault/vault.ts';

/**
 * How key records are sealed. The token keeps a key and a counter; each save takes the next counter and writes
 * it, with a MAC, into the document. The document is durable before the token's counter is raised, so that a
 * kill between the two leaves the document one ahead. Who puts an older copy back, or edits one, has the file
 * but not the token: the counter is behind, or the MAC is wrong.
 */

/** Of a document: the `seal` in it. */
interface RecordsSeal {
  readonly counter: number;
  readonly mac: Uint8Array;
}

/** A document without its seal, as JSON.parse has it, and that seal; null where it has none. */
export interface SealedDocument {
  readonly content: unknown;
  readonly seal: RecordsSeal | null;
}

/** Why records are not proved to be the newest ones. */
export type SealFault =
  /** Their MAC is right, and the token has a higher counter. */
  | { readonly fault: 'older'; readonly counter: number; readonly tokenCounter: number }
  /** Their MAC is wrong. */
  | { readonly fault: 'altered'; readonly counter: number; readonly tokenCounter: number }
  /** They have no seal, and the token has one. */
  | { readonly fault: 'unsealed'; readonly counter: null; readonly tokenCounter: number }
  /** They have a seal, and the token has none. */
  | { readonly fault: 'token_without'; readonly counter: number; readonly tokenCounter: null }
  /** Nothing is sealed, and the manifest of the state dir says that others were saved last. */
  | { readonly fault: 'not_last'; readonly counter: null; readonly tokenCounter: null };

/**
 * HMAC-SHA256 (RFC 2104) over `signing-agent records 1`, the counter in decimal, and the document without its
 * seal in canonical form, a newline after each of the first two. Keyring and algorithm are members of it.
 */
export function macOf(content: unknown, { key, counter }: Seal): Buffer {
  return createHmac('sha256', key)
    .update(`signing-agent records 1\n${counter}\n${canonicalJson(content)}`, 'utf8')
    .digest();
}

/** null where the records are the newest, as far as the token can say; `token` null: it has no seal. */
export function sealFault({ content, seal }: SealedDocument, token: Seal | null): SealFault | null {
  if (seal === null) {
    // Counter 0: a kill came between the making of the token's seal and the first save with it.
    return token === null || token.counter === 0
      ? null
      : { fault: 'unsealed', counter: null, tokenCounter: token.counter };
  }
  const { counter, mac } = seal;
  if (token === null) return { fault: 'token_without', counter, tokenCounter: null };
  const { key, counter: tokenCounter } = token;
  const right = macOf(content, { key, counter });
  if (mac.length !== right.length || !timingSafeEqual(mac, right)) {
    return { fault: 'altered', counter, tokenCounter };
  }
  return counter < tokenCounter ? { fault: 'older', counter, tokenCounter } : null;
}

/** Completes "the sidecar ...". */
export function describeFault(found: SealFault): string {
  switch (found.fault) {
    case 'older':
      return `is an older copy: its counter is ${found.counter}, the token says ${found.tokenCounter}`;
    case 'altered':
      return 'was edited by hand, or is not of this token: its seal does not verify';
    case 'unsealed':
      return (
        `has no seal, and the token says that there was one (counter ${found.tokenCounter}): it was edited by ` +
        'hand, or is a copy from before it was sealed'
      );
    case 'not_last':
      return 'is not what the agent saved last: it is an older copy, or was edited by hand';
    case 'token_without':
      return (
        `has a seal (counter ${found.counter}), and the token has none for it: it is not of this token, or the ` +
        "token's seal was removed"
      );
  }
}

/** JSON with sorted members and no white space (RFC 8785, for documents whose numbers are whole). */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}
