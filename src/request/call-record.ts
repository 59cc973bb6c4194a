import { ZodError } from 'zod';
import type { Caller } from '../access/caller.ts';
import { CredentialError } from '../access/credential-error.ts';
import type { Grant } from '../access/principal.ts';
import type { AuditEvent } from '../audit/audit.ts';
import type { AuditOutcome } from '../audit/chain/record.ts';
import { AgentError, describeFailure, type ErrorKind } from '../base/errors.ts';
import { fieldIssues } from './field-issues.ts';
import type { CheckedCall, Method } from './method.ts';

/** One request on its way, with what is known of it so far. */
export interface Call {
  readonly name: string;
  readonly method: Method;
  readonly caller: Caller;
  grant: Grant | null;
  checked: CheckedCall | null;
}

/** What is recorded of it. */
export function eventOf(
  { name, method, caller, grant, checked }: Call,
  outcome: AuditOutcome,
  { result, failure, of }: { result?: unknown; failure?: unknown; of?: number },
): AuditEvent {
  return {
    caller,
    principal: grant?.principal ?? null,
    method: name,
    keyring: checked?.keyring ?? null,
    kid: (result === undefined ? null : method.kidOf(result)) ?? checked?.kid ?? null,
    messages: (result === undefined ? null : method.signedOf(result)) ?? checked?.messages ?? [],
    subject: checked?.subject ?? null,
    outcome,
    kind: failure === undefined ? null : kindOf(failure),
    reason: reasonText(method, result, failure),
    of: of ?? null,
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

function reasonText(method: Method, result: unknown, failure: unknown): string | null {
  if (failure !== undefined) return reasonOf(failure);
  return result === undefined ? null : method.reasonOf(result);
}

function reasonOf(failure: unknown): string {
  if (failure instanceof CredentialError) return failure.reason;
  if (failure instanceof ZodError) return issuesText(fieldIssues(failure));
  return describeFailure(failure);
}

export function issuesText(issues: ReturnType<typeof fieldIssues>): string {
  return issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
