import { AgentError } from '../../base/errors.ts';
import type { SocketFileSettings } from '../../config/settings.ts';
import type { Libc } from '../../native/libc.ts';

/** Group id of a socket file; null leaves the process's own. Throws `not_found` for a group that there is not. */
export function socketGroup(
  table: string,
  { group }: SocketFileSettings,
  libc: Pick<Libc, 'groupId'>,
): number | null {
  if (group === null) return null;
  const gid = libc.groupId(group);
  if (gid === null) {
    throw new AgentError('not_found', `${table}.group: there is no group ${group} here`);
  }
  return gid;
}
