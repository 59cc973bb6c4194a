import { decodeBase64 } from '../../../base/base64.ts';
import { UsageError } from '../../shell/failure.ts';

/**
 * The signature in what a file holds: 64 raw bytes, base64 in any alphabet and line length, or the JSON that
 * `sign --format json` prints. Anything else is taken as raw bytes, and no signature of that length verifies.
 */
export function signatureIn(content: Buffer, name: string): Buffer {
  if (content.length === 64) return content;
  const text = content.toString('utf8').trim();
  if (text.startsWith('{')) return fromJson(text, name) ?? content;
  return decodeBase64(text.replaceAll(/[ \t\r\n]/g, '')) ?? content;
}

function fromJson(text: string, name: string): Buffer | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const encoded = (value as Readonly<Record<string, unknown>>)['signature_b64'];
  const bytes = typeof encoded === 'string' ? decodeBase64(encoded) : null;
  if (bytes === null) throw new UsageError(`${name}: the JSON has no signature_b64`);
  return bytes;
}
