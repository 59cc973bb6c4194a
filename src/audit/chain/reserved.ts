import { AgentError } from '../../base/errors.ts';
import { signaturePrefix } from './record.ts';

const prefix = Buffer.from(signaturePrefix, 'utf8');

/**
 * Throws `not_supported` for a message that begins as what the log signs of its own records: whoever may sign with the
 * log's key could else have a record signed that the log never wrote.
 */
export function refuseReserved(messages: readonly Uint8Array[]): void {
  if (!messages.some(isReserved)) return;
  throw new AgentError(
    'not_supported',
    `messages that begin with ${JSON.stringify(signaturePrefix.trimEnd())} and a newline are signed for the audit log alone`,
  );
}

/** Nearly every message differs in its first byte. */
function isReserved(message: Uint8Array): boolean {
  return message[0] === prefix[0] && prefix.equals(message.subarray(0, prefix.length));
}
