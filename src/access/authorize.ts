import { AgentError } from '../errors.ts';
import { scopes, type Principal, type Scope } from './principal.ts';

/** Throws `forbidden` unless the caller's scope is `needed` or above it. */
export function authorize(caller: Principal, needed: Scope, method: string): void {
  if (scopes.indexOf(caller.scope) >= scopes.indexOf(needed)) return;
  throw new AgentError(
    'forbidden',
    `${method} needs scope ${needed}; ${caller.name} (uid ${caller.uid}) has scope ${caller.scope}`,
    { details: { needs: needed } },
  );
}
