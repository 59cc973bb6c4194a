import { decodeBase64 } from '../../base/base64.ts';
import { decodeBech32, encodeBech32 } from './bech32.ts';
import { faultOfX25519 } from './x25519.ts';

/** An X25519 public key, 32 bytes, as age's recipient `age1…`. */
export function recipientOf(publicKey: Uint8Array): string {
  return encodeBech32('age', publicKey);
}

export type ReadPublicKey = { readonly key: Uint8Array } | { readonly fault: string };

/**
 * The X25519 public key that a text gives: base64 of its 32 bytes, or an age recipient of that type. The fault of
 * any other text follows what it is called, and never repeats it: it may be a private key.
 */
export function readPublicKey(text: string): ReadPublicKey {
  if (/^age-(secret-key|plugin)-/i.test(text)) {
    return {
      fault: 'is a private key (an age identity): give the public key, which age-keygen -y prints',
    };
  }
  const raw = decodeBase64(text);
  const isRecipient = /^age1/i.test(text) && raw?.length !== 32;
  const read = isRecipient ? readRecipient(text) : raw;
  if (read === null) {
    return {
      fault: 'must be an age recipient (age1…), or base64 of the 32 bytes of an X25519 key',
    };
  }
  if ('fault' in read) return read;
  const fault = faultOfX25519(read);
  return fault === null ? { key: read } : { fault };
}

function readRecipient(text: string): Uint8Array | { readonly fault: string } {
  const decoded = decodeBech32(text);
  const kind = text.slice(0, text.lastIndexOf('1')).toLowerCase();
  if (kind !== 'age') return { fault: otherKind(kind) };
  // As the age program has it: upper case is for identities.
  if (decoded === null || text !== text.toLowerCase()) {
    return { fault: 'is a mistyped age recipient: its checksum, or its case, is wrong' };
  }
  return decoded.bytes;
}

/** `kind`: `age1` and the name of another type of recipient. */
function otherKind(kind: string): string {
  const name = /^age1([a-z0-9-]{1,30})$/.exec(kind)?.[1] ?? 'unknown';
  const what =
    name === 'pq' || name === 'tagpq'
      ? `a hybrid (post-quantum) recipient, age1${name}1…`
      : `a recipient of the age plugin ${name}`;
  return `is ${what}: only X25519 recipients are accepted, which age-keygen makes`;
}
