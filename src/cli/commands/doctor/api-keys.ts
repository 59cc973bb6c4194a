import { join } from 'node:path';
import type { Accounts } from '../../../access/access-rules.ts';
import type { LoadedApiKey, LoadedApiKeys } from '../../../access/api-key.ts';
import { loadApiKeys } from '../../../access/load-api-keys.ts';
import { readApiKeysFile } from '../../../access/api-keys-file.ts';
import { common, type Purpose, type Purposes } from '../../../access/purposes.ts';
import type { World } from '../../../base/world.ts';
import { unknownName } from './access.ts';
import { inspected, ok, warning, type Finding } from '../../../base/finding.ts';

const subject = 'API keys';

export interface ApiKeysLook {
  readonly world: Pick<World, 'now' | 'files'>;
  readonly accounts: Accounts;
  /** Fingerprint of this machine; null where it cannot be told. */
  readonly machine: string | null;
}

/** Of the settings, what keys may name. */
interface ConfiguredNames {
  readonly stateDir: string;
  readonly keyrings: readonly { readonly name: string; readonly purposes: Purposes }[];
}

/** `api-keys.json`: readable, closed to others, and keys that somebody can use. */
export function checkApiKeys(
  { stateDir, keyrings }: ConfiguredNames,
  { world, accounts, machine }: ApiKeysLook,
): readonly Finding[] {
  const path = join(stateDir, 'api-keys.json');
  const faults: Finding[] = [];
  const finding = inspected(subject, () => {
    const { document, identity } = readApiKeysFile(path, world.files);
    if (identity === null) return ok(subject, `${path} is not there: there are none`);
    const loaded = loadApiKeys(document, accounts);
    faults.push(...faultsOf(loaded, { keyrings, machine, now: world.now() }));
    return ok(subject, `${path} has ${loaded.keys.size} key(s) that can be used`);
  });
  return [finding, ...faults];
}

function faultsOf(
  { keys, warnings }: LoadedApiKeys,
  {
    keyrings,
    machine,
    now,
  }: Pick<ConfiguredNames, 'keyrings'> & { machine: string | null; now: number },
): readonly Finding[] {
  const findings = warnings.map(unknownName);
  for (const key of keys.values()) {
    const { id, expires, expiresAt, allowedMachines, allowedKeyrings } = key;
    if (expires !== null && now >= expires) {
      findings.push(
        warning(
          subject,
          `API key ${id} has expired (${expiresAt ?? ''}): agentctl apikey update ${id} --expires 30d, or revoke it`,
        ),
      );
    }
    if (allowedMachines !== null && machine === null) {
      findings.push(
        warning(
          subject,
          `API key ${id} is for some machines alone, and this one has no usable /etc/machine-id, so it is refused: ` +
            'systemd-machine-id-setup makes one',
        ),
      );
    }
    const unknown =
      allowedKeyrings?.filter((name) => !keyrings.some((one) => one.name === name)) ?? [];
    if (unknown.length > 0) {
      findings.push(
        warning(
          subject,
          `API key ${id} is for keyrings that the configuration does not have: ${unknown.join(', ')}`,
        ),
      );
    }
    const idle = idlePurposes(key, keyrings);
    if (idle.length > 0) {
      findings.push(
        warning(
          subject,
          `API key ${id} has purposes that none of its keyrings has: ${idle.join(', ')}: agentctl apikey update ${id} ` +
            '--purpose NAME says which ones it is to have',
        ),
      );
    }
  }
  return findings;
}

function idlePurposes(
  { allowedKeyrings, allowedPurposes }: LoadedApiKey,
  keyrings: ConfiguredNames['keyrings'],
): readonly Purpose[] {
  const own = keyrings.filter(({ name }) => allowedKeyrings?.includes(name) ?? true);
  return [...(allowedPurposes ?? [])].filter(
    (one) => !own.some(({ purposes }) => common(purposes, new Set([one]))?.size !== 0),
  );
}
