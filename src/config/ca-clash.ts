import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import type { TableFault } from '../vault/kind-calls.ts';
import { kindOf } from '../vault/kinds/kinds.ts';
import type { ClusterSettings, KeyringSettings } from './keyring-settings.ts';
import { ConfigError } from './load.ts';

interface ConfiguredKeys {
  readonly keyrings: readonly KeyringSettings[];
  readonly cluster: ClusterSettings | null;
  readonly stateDir: string;
}

/** A keyring that had the CA's key for one of its own would sign with it for everybody. Throws ConfigError. */
export function refuseKeyOfCa({ keyrings, cluster, stateDir }: ConfiguredKeys, file: string): void {
  for (const keyring of keyrings) {
    const ca = cluster?.ca.backend === keyring.backend ? cluster.ca : null;
    const where = { name: reservedKeyring, stateDir, ca };
    refuse(file, keyring.name, kindOf(keyring).ca?.clash(keyring, where));
  }
}

/**
 * Throws ConfigError where the key of a keyring is that of the cluster CA by another name: through a directory that
 * is a link, or as a hard link. `resolveSettings` refuses the same name.
 */
export function refuseCaByAnotherName({
  keyrings,
  stateDir,
}: Pick<ConfiguredKeys, 'keyrings' | 'stateDir'>): void {
  for (const keyring of keyrings) {
    const where = { name: reservedKeyring, stateDir };
    const fault = kindOf(keyring).ca?.clashByAnotherName(keyring, where);
    refuse('configuration', keyring.name, fault);
  }
}

function refuse(file: string, keyring: string, fault: TableFault | null | undefined): void {
  if (fault === null || fault === undefined) return;
  throw new ConfigError(`${file}: keyrings.${keyring}.${fault.key}: ${fault.message}`);
}
