import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** So that the fingerprint tells nobody the machine's id, which is not to be shown (machine-id(5)). */
const label = 'signing-agent/machine/v1\n';

/**
 * What tells this machine from others: SHA-256 in lowercase hex over a label of our own and the content of
 * /etc/machine-id. Null where that is missing, empty, not set up yet, or no id of 32 hex digits.
 */
export function machineFingerprint(path = '/etc/machine-id'): string | null {
  const id = contentOf(path)?.trim() ?? '';
  if (!/^[0-9a-f]{32}$/i.test(id)) return null;
  return createHash('sha256')
    .update(label + id, 'utf8')
    .digest('hex');
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
