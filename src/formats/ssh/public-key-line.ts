import { decodeBase64 } from '../../base/base64.ts';
import { sshTypeOf } from './public-key.ts';
import { SshFormatError } from './wire.ts';

/**
 * The blob of `type base64 [comment]`, the form of `.pub` files and of what follows the options in authorized_keys and
 * allowed-signers files; null for everything else. Whether the blob is a key is not looked at.
 */
export function blobOfLine(text: string): Buffer | null {
  const [type, encoded] = text.split(/[ \t]+/, 2);
  const blob = decodeBase64(encoded ?? '');
  return blob !== null && sshTypeOf(blob) === type ? blob : null;
}

/** Where the options end: at the first space that stands in no quotes. Throws SshFormatError for a quote without end. */
export function endOfOptions(text: string): number {
  let isQuoted = false;
  let at = 0;
  while (at < text.length && (isQuoted || !/[ \t]/.test(text.charAt(at)))) {
    if (text.startsWith('\\"', at)) at += 1;
    else if (text[at] === '"') isQuoted = !isQuoted;
    at += 1;
  }
  if (isQuoted) throw new SshFormatError('a quote is not closed');
  return at;
}
