import type { CaView } from '../../../api/cluster.ts';
import { inGroups } from '../../../base/fingerprint.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output, protectionInWords } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

/** `agentctl ca show`: the CA, and the certificate of the active key. */
export async function showCa({ terminal, globals }: Invocation): Promise<number> {
  const ca = await ask<CaView>(globals, 'ca_show');
  const output = new Output(terminal);
  if (globals.json) {
    output.json(ca);
    return exitCodes.done;
  }
  const now = terminal.now();
  const { certificate } = ca;
  output.table([
    ['CA', { text: ca.ca_kid, style: 'bold' }],
    ['public key', ca.ca_public_key_b64],
    ['SHA-256', inGroups(ca.ca_fingerprint)],
    ['domain', ca.cluster_domain],
    ['backend', ca.backend],
    ['protection', protectionInWords(ca.protection)],
    ['created', when(ca.created_at, now)],
    ['keyring', ca.keyring],
    ...(certificate === null
      ? [['certificate', { text: 'none: the active key has none', style: 'yellow' as const }]]
      : [
          ['certificate', `of key ${certificate.active_kid}`],
          ['issued', when(certificate.issued_at, now)],
          ['expires', when(certificate.expires_at, now)],
        ]),
  ]);
  return exitCodes.done;
}
