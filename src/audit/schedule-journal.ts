import { AgentError, describeFailure } from '../base/errors.ts';
import type { BegunChange, ChangeJournal, OwnChange } from '../keyring/change-journal.ts';
import type { Audit, AuditEvent } from './audit.ts';

/** Records in the audit log what keyrings change by themselves, as it does what callers change. */
export function scheduleJournal(audit: Audit): ChangeJournal {
  return {
    async begin(change: OwnChange): Promise<BegunChange> {
      const of = await audit.record(ownEvent(change, { outcome: 'begun' }));
      return {
        done: (kid, reason) =>
          audit.recordSurely(ownEvent(change, { outcome: 'done', kid, reason, of })),
        failed: (failure) =>
          audit.recordSurely(
            ownEvent(change, {
              outcome: 'failed',
              kind: failure instanceof AgentError ? failure.kind : 'internal',
              reason: describeFailure(failure),
              of,
            }),
          ),
      };
    },
  };
}

/** Of the agent itself: nobody called. */
export function ownEvent(
  { keyring, method }: { readonly keyring: string | null; readonly method: string },
  ended: Pick<AuditEvent, 'outcome'> & Partial<Pick<AuditEvent, 'kid' | 'kind' | 'reason' | 'of'>>,
): AuditEvent {
  return {
    caller: null,
    principal: null,
    method,
    keyring,
    kid: null,
    messages: [],
    subject: null,
    kind: null,
    reason: null,
    of: null,
    ...ended,
  };
}
