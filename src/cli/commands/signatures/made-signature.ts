import { decodeBase64 } from '../../../base/base64.ts';
import { CommandError } from '../../shell/failure.ts';

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

/** The agent made something else, or of something else. */
export function notAsAsked(): CommandError {
  return new CommandError('what the agent answered is no signature of what was asked for');
}
