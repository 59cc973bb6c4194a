import type { AgentOptions } from './options.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { openAuditLog } from './configured-audit-log.ts';
import { scheduleJournal } from '../audit/schedule-journal.ts';
import { ClusterAuthority } from './cluster-authority.ts';
import type { Settings } from '../config/settings.ts';
import { configuredKeyrings } from './configured-keyring.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { SupervisedKeyrings } from './supervised-keyrings.ts';
import type { AgentDatabase } from '../database/agent-database.ts';
import type { StateManifest } from './state-manifest.ts';
import { ModuleHosts } from '../vault/host/module-hosts.ts';

/** The parts of an agent that have keys, none of them open yet, and where what they change is recorded. */
export interface RecordedKeyrings {
  /** null: nothing is recorded. */
  readonly audit: AuditLog | null;
  readonly keyrings: SupervisedKeyrings;
  /** null: the agent has no part in a cluster. */
  readonly cluster: ClusterAuthority | null;
  readonly hosts: Pick<ModuleHosts, 'wrongSignatures'>;
}

/**
 * Each has the others: one of the keyrings signs the log's own records, what keyrings change by themselves, first
 * of all when they are opened, is recorded, and the CA certifies the keys of one of them. Throws as `openAuditLog`
 * does.
 */
export function recordedKeyrings(
  { settings, world, libc, hosts: launch, credentialsDir }: AgentOptions,
  database: AgentDatabase,
  manifest: StateManifest,
): RecordedKeyrings {
  const keyring = (name: string): Keyring => keyrings.get(name);
  const { audit: wanted, cluster: inCluster } = settings;
  const audit =
    wanted === null
      ? null
      : openAuditLog(wanted, () => keyring(wanted.keyring), world, manifest.knownLog(), libc);
  const journal = audit === null ? undefined : scheduleJournal(audit);
  const hosts = new ModuleHosts(launch);
  const changed = async (name: string): Promise<void> => {
    if (name === inCluster?.keyring) await cluster?.issueMissing();
  };
  const open = configuredKeyrings(world, hosts, {
    ledger: (name) => manifest.keyring(name),
    journal,
    changed,
  });
  const keyrings = new SupervisedKeyrings(settings.keyrings, open, world, credentialsDir);
  const cluster =
    inCluster === null
      ? null
      : new ClusterAuthority({
          settings: inCluster,
          keyring: () => keyring(inCluster.keyring),
          graceSeconds: graceOf(settings, inCluster.keyring),
          ...{ hosts, database, journal, world, credentialsDir },
        });
  if (cluster !== null) keyrings.shareRefusals(cluster.supervisor);
  return { audit, keyrings, cluster, hosts };
}

function graceOf({ keyrings }: Settings, name: string): number {
  return keyrings.find((keyring) => keyring.name === name)?.rotation?.graceSeconds ?? 0;
}
