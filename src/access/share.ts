import { isNamed, type AccessRules } from './access-rules.ts';
import type { AccessControl } from './access-control.ts';
import type { Caller } from './caller.ts';
import type { Grant } from './grant.ts';
import { shareOf, type Peer } from './principal.ts';

/**
 * Whose part of the agent a caller takes. `own`: root and the agent's user, for whom a part is kept free. `stranger`: all
 * callers without a scope together, since one person may have many uids that nobody has given anything.
 */
export type ShareKind = 'own' | 'user' | 'stranger';

/** Under which name time, memory, connections and queue are counted. The same object for as long as it is the same. */
export interface Share {
  readonly kind: ShareKind;
  readonly name: string;
}

const strangers: Share = { kind: 'stranger', name: 'callers without a scope' };

/** The shares of one agent's callers, by the rules and API keys of the moment. */
export class Shares {
  readonly #access: Pick<AccessControl, 'grantOrNone' | 'settings'>;
  readonly #known = new WeakMap<Caller, { readonly grant: Grant; readonly share: Share }>();

  constructor(access: Pick<AccessControl, 'grantOrNone' | 'settings'>) {
    this.#access = access;
  }

  of(caller: Caller): Share {
    const grant = this.#access.grantOrNone(caller);
    const known = this.#known.get(caller);
    if (known?.grant === grant) return known.share;
    const found = shareFor(caller.peer, this.#access.settings.rules, grant);
    const isSame = known?.share.name === found.name && known.share.kind === found.kind;
    const share = isSame ? known.share : found;
    this.#known.set(caller, { grant, share });
    return share;
  }
}

/** A user has one share, however it authenticates; without a scope of its own, that of its API key. */
function shareFor(peer: Peer, rules: AccessRules, { principal }: Grant): Share {
  if (isOwn(peer, rules)) return { kind: 'own', name: shareOf(peer) };
  if (isNamed(peer, rules)) return { kind: 'user', name: shareOf(peer) };
  if (principal.scope === 'none') return strangers;
  return { kind: 'user', name: `key ${principal.api_key ?? ''}` };
}

function isOwn(peer: Peer, { agentUid }: AccessRules): boolean {
  return peer.kind === 'process' && (peer.uid === 0 || peer.uid === agentUid);
}
