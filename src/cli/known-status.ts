import type { AgentStatus } from '../protocol/status.ts';

/** What any agent says of itself: an older one says nothing of access and audit. */
export type KnownStatus = Omit<AgentStatus, 'access' | 'audit'> &
  Partial<Pick<AgentStatus, 'access' | 'audit'>>;
