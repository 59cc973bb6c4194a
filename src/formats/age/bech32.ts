import { bech32 } from '@scure/base';

/** Bech32 (BIP 173), as age writes its keys: without the 90 characters limit, which age does not have either. */

/** In lower case. `prefix` is the human-readable part. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  return bech32.encode(prefix, bech32.toWords(bytes), false);
}

/**
 * What the text encodes; null where it is no Bech32: a foreign character, both cases, a wrong checksum, padding that
 * is not zero.
 */
export function decodeBech32(text: string): { prefix: string; bytes: Uint8Array } | null {
  // What has no "1" is none, and the library's type says so.
  if (!hasSeparator(text)) return null;
  try {
    const { prefix, words } = bech32.decode(text, false);
    return { prefix, bytes: bech32.fromWords(words) };
  } catch {
    return null;
  }
}

function hasSeparator(text: string): text is `${string}1${string}` {
  return text.includes('1');
}
