import type { CaCert } from '../../../api/cluster.ts';
import { caCertText } from '../../../cluster/ca-cert.ts';
import { parseDuration } from '../../../base/duration.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';
import { writeWholeFile } from '../../shell/write-file.ts';

export interface IssueOptions {
  readonly validity?: string;
  readonly out?: string;
}

/** `agentctl ca issue`: prints the certificate alone, so that it can be piped, or writes it to a file. */
export async function issueCertificate(invocation: Invocation<IssueOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const result = await ask<{ certificate: CaCert }>(globals, 'ca_issue', {
    validity_seconds: secondsOf(options.validity),
  });
  const { certificate } = result;
  const { out } = options;
  if (out !== undefined) await writeWholeFile(out, `${caCertText(certificate)}\n`);
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else if (out === undefined) output.json(certificate);
  else {
    const until = when(certificate.expires_at, terminal.now());
    output.line(
      'certificate of key ',
      { text: certificate.active_kid, style: 'bold' },
      ` for ${certificate.cluster_domain} written to ${out}: it expires ${until}`,
    );
  }
  return exitCodes.done;
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseDuration(text);
  if (seconds === null || seconds === 0) {
    throw new UsageError(`--validity: not a duration: ${text} (90s 15m 24h 7d)`);
  }
  return seconds;
}
