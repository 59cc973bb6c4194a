import type { TrustBundle } from '../../../api/cluster.ts';
import { trustBundleText } from '../../../cluster/trust-bundle.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { writeWholeFile } from '../../shell/write-file.ts';

export interface BundleOptions {
  readonly out?: string;
}

/** `agentctl ca bundle`: prints the bundle alone, so that it can be piped, or writes it to a file. */
export async function printBundle(invocation: Invocation<BundleOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const result = await ask<{ bundle: TrustBundle }>(globals, 'ca_bundle');
  const { bundle } = result;
  const { out } = options;
  if (out !== undefined) await writeWholeFile(out, `${trustBundleText(bundle)}\n`);
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else if (out === undefined) output.json(bundle);
  else output.line(`bundle of ${bundle.cluster_domain}, CA ${bundle.ca_kid}, written to ${out}`);
  return exitCodes.done;
}
