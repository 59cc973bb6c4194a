import type { KeyringStatus } from '../../../api/status.ts';
import type { KnownStatus } from './known-status.ts';

/** What a monitor is told of an agent that answers. */
export interface WellBeing {
  /** `down`: nothing is signed. */
  readonly state: 'well' | 'degraded' | 'down';
  /** One a line. */
  readonly problems: readonly string[];
}

/** Sums up a status: `down` where there is a keyring and none of them signs, or the audit log takes no record. */
export function wellBeing(status: KnownStatus): WellBeing {
  const { keyrings, audit, cluster = null, counters } = status;
  const ofKeyrings = keyrings.flatMap(notWell);
  const problems = [...ofKeyrings];
  const auditIsAway = audit?.enabled === true && audit.health !== 'ok';
  if (auditIsAway) problems.push(`audit: ${audit.last_error?.message ?? 'unavailable'}`);
  const certificates = cluster?.certificate_error ?? null;
  if (cluster !== null && cluster.health !== 'ok') {
    problems.push(`cluster ${cluster.domain}: its CA is ${cluster.health}${reason(cluster)}`);
  }
  if (certificates !== null) problems.push(`cluster: ${certificates.message}`);
  const wrong = counters?.wrong_signatures ?? 0;
  if (wrong > 0) problems.push(`${wrong} wrong signatures of a device, none of which left`);
  const isDown =
    auditIsAway || (keyrings.length > 0 && keyrings.every(({ health }) => health !== 'ok'));
  return { state: isDown ? 'down' : problems.length > 0 ? 'degraded' : 'well', problems };
}

/** What keeps a keyring from signing, or from being replaced in time; at most one. */
export function notWell(keyring: KeyringStatus): readonly string[] {
  const { name, health, last_error: error } = keyring;
  if (health !== 'ok') return [`keyring ${name}: ${health}${reason(keyring)}`];
  return error === null ? [] : [`keyring ${name}: ${error.message}`];
}

function reason({ last_error: error }: Pick<KeyringStatus, 'last_error'>): string {
  return error === null ? '' : `, ${error.message}`;
}
