import type { AgentStatus } from '../protocol/status.ts';

/** What any agent says of itself: an older one says nothing of access, audit and cluster. */
export type KnownStatus = Omit<AgentStatus, 'access' | 'audit' | 'cluster'> &
  Partial<Pick<AgentStatus, 'access' | 'audit' | 'cluster'>>;
