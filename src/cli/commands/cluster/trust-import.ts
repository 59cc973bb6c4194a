import type { ImportedBundle } from '../../../api/cluster.ts';
import { inGroups, readFingerprint } from '../../../base/fingerprint.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface ImportTrustOptions {
  readonly replace?: true;
  readonly fingerprint?: string;
}

/** Far beyond any bundle; the agent has a limit of its own. */
const mostBytes = 64 * 1024;

/** `agentctl trust import FILE`: what the agent keeps is the text of the file, nothing of it spelled anew. */
export async function importTrust(invocation: Invocation<ImportTrustOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const file = args[0] ?? '-';
  const bundle = textOf(await readInput(file, terminal, mostBytes), file);
  const params = { bundle, replace: options.replace, fingerprint: expectedIn(options) };
  const result = await ask<ImportedBundle>(globals, 'trust_import', params);
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else {
    output.line(`${sentences[result.change](result)}: CA ${result.ca_kid}`);
    output.line(`SHA-256 ${inGroups(result.ca_fingerprint)}`);
  }
  return exitCodes.done;
}

const sentences: Readonly<Record<ImportedBundle['change'], (of: ImportedBundle) => string>> = {
  added: ({ cluster_domain }) => `${cluster_domain} is trusted`,
  updated: ({ cluster_domain }) => `${cluster_domain} is trusted by a newer bundle`,
  replaced: ({ cluster_domain }) => `${cluster_domain} is trusted with another CA`,
  none: ({ cluster_domain }) => `${cluster_domain} was trusted by this bundle already`,
};

function expectedIn({ fingerprint }: ImportTrustOptions): string | undefined {
  if (fingerprint === undefined) return undefined;
  const read = readFingerprint(fingerprint);
  if (read !== null) return read;
  throw new UsageError('--fingerprint: give all 64 hex digits, as agentctl ca show has them there');
}

function textOf(bytes: Buffer, file: string): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  throw new UsageError(`${file === '-' ? 'stdin' : file} is not UTF-8 text`);
}
