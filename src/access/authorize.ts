import { AgentError } from '../base/errors.ts';
import type { Grant } from './principal.ts';
import { scopes, type Scope } from '../api/principal.ts';

/**
 * What a method acts on: one keyring; the keyring of the cluster, which the configuration names; the agent as a
 * whole, which a key that is for some keyrings alone must not touch; or nothing but the caller's own.
 */
type Reach = 'keyring' | 'cluster' | 'agent' | 'caller';

export interface Needs {
  readonly scope: Scope;
  readonly reach: Reach;
}

/** Throws `forbidden` unless the caller's scope is the one needed or above it, and its reach as far. */
export function authorize({ principal, keyrings }: Grant, method: string, needs: Needs): void {
  const { name, uid, scope } = principal;
  if (scopes.indexOf(scope) < scopes.indexOf(needs.scope)) {
    throw forbidden(
      `${method} needs scope ${needs.scope}; ${name}${uid === null ? '' : ` (uid ${uid})`} has scope ${scope}`,
      needs,
    );
  }
  if (needs.reach === 'agent' && keyrings !== null) {
    throw forbidden(
      `${method} is about the whole agent; API key ${name} is for some keyrings alone`,
      needs,
    );
  }
}

/** Throws `forbidden` where the caller may not use that keyring, whether or not there is one of that name. */
export function authorizeKeyring(
  { principal, keyrings }: Grant,
  method: string,
  needs: Needs,
  keyring: string,
): void {
  if (keyrings === null || keyrings.has(keyring)) return;
  throw forbidden(`${method}: API key ${principal.name} is not for that keyring`, needs);
}

function forbidden(message: string, { scope }: Needs): AgentError {
  return new AgentError('forbidden', message, { details: { needs: scope } });
}
