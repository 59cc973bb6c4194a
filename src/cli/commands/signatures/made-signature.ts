import { decodeBase64 } from '../../../base/base64.ts';
import { CommandError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions } from '../../shell/terminal.ts';
import type { KeyringKey } from './valid-keys.ts';

/** The wire's result of `sign`. */
export interface SignResult {
  readonly kid: string;
  readonly signature_b64: string;
}

/** Bytes, whatever the algorithm; vault/algorithm.ts says the same, and loads what signing can do without. */
const signatureLength = 64;

/** The 64 bytes. CommandError where the answer has none. */
export function signatureBytes({ signature_b64 }: SignResult): Buffer {
  const bytes = typeof signature_b64 === 'string' ? decodeBase64(signature_b64) : null;
  if (bytes?.length === signatureLength) return bytes;
  throw new CommandError('what the agent answered is no signature');
}

/** Has a short message signed by this key and no other. */
export async function signedBy(
  key: KeyringKey,
  globals: GlobalOptions,
  message: Uint8Array,
): Promise<{ readonly result: SignResult; readonly bytes: Buffer }> {
  const message_b64 = Buffer.from(message).toString('base64url');
  const params = { keyring: globals.keyring, kid: key.kid, message_b64 };
  const result = await ask<SignResult>(globals, 'sign', params);
  if (result.kid !== key.kid) throw new CommandError('the agent signed with another key');
  return { result, bytes: signatureBytes(result) };
}
