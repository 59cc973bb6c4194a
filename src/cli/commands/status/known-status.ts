import type { AgentStatus } from '../../../api/status.ts';

type NotAlways = 'access' | 'audit' | 'cluster' | 'ssh_agent';

/** What any agent says of itself: an older one says nothing of access, audit, the cluster and the SSH agent. */
export type KnownStatus = Omit<AgentStatus, NotAlways> & Partial<Pick<AgentStatus, NotAlways>>;
