import type { TrustBundleView } from '../../../api/cluster.ts';
import { inGroups } from '../../../base/fingerprint.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

interface TrustList {
  readonly bundles: readonly TrustBundleView[];
}

/** `agentctl trust list`. */
export async function listTrust({ terminal, globals }: Invocation): Promise<number> {
  const result = await ask<TrustList>(globals, 'trust_list');
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
  } else if (result.bundles.length === 0) {
    output.line('no trusted clusters');
  } else {
    const now = terminal.now();
    const header = ['DOMAIN', 'CA', 'SHA-256', 'GENERATED', 'IMPORTED'].map((text): Cell => ({
      text,
      style: 'dim',
    }));
    const rows = result.bundles.map((one): readonly Cell[] => [
      one.cluster_domain,
      one.ca_kid,
      inGroups(one.ca_fingerprint),
      when(one.generated_at, now),
      when(one.imported_at, now),
    ]);
    output.table([header, ...rows]);
  }
  return exitCodes.done;
}
