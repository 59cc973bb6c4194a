import type { AgentOptions } from './agent.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { openAuditLog } from './audit/open-audit-log.ts';
import { scheduleJournal } from './audit/schedule-journal.ts';
import { configuredKeyrings } from './configured-keyring.ts';
import type { Keyring } from './keyring/keyring.ts';
import { OpenKeyrings } from './open-keyrings.ts';

/** The keyrings of the configuration, none of them open yet, and the audit log, null where there is to be none. */
export interface RecordedKeyrings {
  readonly audit: AuditLog | null;
  readonly keyrings: OpenKeyrings;
}

/**
 * Each has the other: one of the keyrings signs the log's own records, and what keyrings change by themselves, first
 * of all when they are opened, is recorded. Throws as `openAuditLog` does.
 */
export function recordedKeyrings({
  settings,
  world,
  hosts,
  credentialsDir,
}: AgentOptions): RecordedKeyrings {
  const signer = (name: string): Keyring => keyrings.get(name);
  const { audit: wanted } = settings;
  const audit = wanted === null ? null : openAuditLog(wanted, () => signer(wanted.keyring), world);
  const journal = audit === null ? undefined : scheduleJournal(audit);
  const open = configuredKeyrings(world, hosts, journal);
  const keyrings = new OpenKeyrings(settings.keyrings, open, world, credentialsDir);
  return { audit, keyrings };
}
