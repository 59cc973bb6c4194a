import { join } from 'node:path';
import type { Accounts } from '../../../access/access-rules.ts';
import type { LoadedApiKeys } from '../../../access/api-key.ts';
import { loadApiKeys } from '../../../access/load-api-keys.ts';
import { readApiKeysFile } from '../../../access/api-keys-file.ts';
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
  readonly keyrings: readonly { readonly name: string }[];
}

/** `api-keys.json`: readable, closed to others, and keys that somebody can use. */
export function checkApiKeys(
  { stateDir, keyrings }: ConfiguredNames,
  { world, accounts, machine }: ApiKeysLook,
): readonly Finding[] {
  const path = join(stateDir, 'api-keys.json');
  const names = keyrings.map(({ name }) => name);
  const faults: Finding[] = [];
  const finding = inspected(subject, () => {
    const { document, identity } = readApiKeysFile(path, world.files);
    if (identity === null) return ok(subject, `${path} is not there: there are none`);
    const loaded = loadApiKeys(document, accounts);
    faults.push(...faultsOf(loaded, { names, machine, now: world.now() }));
    return ok(subject, `${path} has ${loaded.keys.size} key(s) that can be used`);
  });
  return [finding, ...faults];
}

function faultsOf(
  { keys, warnings }: LoadedApiKeys,
  { names, machine, now }: { names: readonly string[]; machine: string | null; now: number },
): readonly Finding[] {
  const findings = warnings.map(unknownName);
  for (const { id, expires, expiresAt, allowedMachines, allowedKeyrings } of keys.values()) {
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
    const unknown = allowedKeyrings?.filter((name) => !names.includes(name)) ?? [];
    if (unknown.length > 0) {
      findings.push(
        warning(
          subject,
          `API key ${id} is for keyrings that the configuration does not have: ${unknown.join(', ')}`,
        ),
      );
    }
  }
  return findings;
}
