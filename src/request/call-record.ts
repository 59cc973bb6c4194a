import { ZodError } from 'zod';
import type { Caller } from '../access/caller.ts';
import { CredentialError } from '../access/credential-error.ts';
import type { Grant } from '../access/grant.ts';
import type { AuditEvent } from '../audit/audit.ts';
import type { AuditOutcome } from '../audit/chain/record.ts';
import { AgentError, describeFailure, type ErrorKind } from '../base/errors.ts';
import { fieldIssues } from './field-issues.ts';
import type { CheckedCall, Method, Outcome } from './method.ts';

/** One request on its way, with what is known of it so far. */
export interface RecordedCall<Result = unknown> {
  readonly name: string;
  readonly method: Method<Result>;
  readonly caller: Caller;
  grant: Grant | null;
  checked: CheckedCall<Result> | null;
}

/** What is recorded of it. `came`: what its act came to. */
export function eventOf(
  { name, method, caller, grant, checked }: RecordedCall,
  outcome: AuditOutcome,
  {
    came,
    failure,
    of,
    repeats,
  }: { came?: Outcome; failure?: unknown; of?: number; repeats?: AuditEvent['repeats'] },
): AuditEvent {
  return {
    caller,
    principal: grant?.principal ?? null,
    method: name,
    keyring: checked?.keyring ?? null,
    kid: came?.kid ?? checked?.kid ?? null,
    messages: came?.signed ?? checked?.messages ?? [],
    subject: checked?.subject ?? null,
    outcome,
    kind: failure === undefined ? null : kindOf(failure),
    reason: failure === undefined ? (came?.reason ?? null) : reasonOf(failure),
    of: of ?? null,
    // Who may not is no reason to take what is held in reserve.
    isUrgent: method.isUrgent && (outcome !== 'refused' || of !== undefined),
    ...(repeats === undefined ? {} : { repeats }),
  };
}

/** Kinds that say that something did not work; every other one says that it was not let through. */
const failures: ReadonlySet<ErrorKind> = new Set([
  'internal',
  'backend_unavailable',
  'conflict',
  'shutting_down',
]);

export function outcomeOf(failure: unknown): AuditOutcome {
  return failures.has(kindOf(failure)) ? 'failed' : 'refused';
}

export function kindOf(failure: unknown): ErrorKind {
  if (failure instanceof ZodError) return 'invalid_params';
  return failure instanceof AgentError ? failure.kind : 'internal';
}

function reasonOf(failure: unknown): string {
  if (failure instanceof CredentialError) return failure.reason;
  if (failure instanceof ZodError) return issuesText(fieldIssues(failure));
  return describeFailure(failure);
}

export function issuesText(issues: ReturnType<typeof fieldIssues>): string {
  return issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
