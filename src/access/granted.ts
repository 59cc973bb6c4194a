import type { Principal } from '../api/principal.ts';
import { allowancesOf, type AccessRules } from './access-rules.ts';
import type { LoadedApiKey } from './api-key.ts';
import { grantOf, type Grant } from './grant.ts';
import type { Peer } from './principal.ts';

/** What a peer has without an API key. */
export function grantOfPeer(peer: Peer, rules: AccessRules, bounds: Grant['bounds']): Grant {
  const allowances = allowancesOf(peer, rules);
  return grantOf(principalOf(peer), allowances, { bounds, signaturesPerSecond: null });
}

/** What the connection of a peer has by an API key. `usualRate`: signatures a second of a key without a limit. */
export function grantOfKey(
  peer: Peer,
  key: LoadedApiKey,
  bounds: Grant['bounds'],
  usualRate: number | null,
): Grant {
  const { id, scope, allowedKeyrings, allowedPurposes: purposes } = key;
  const keyrings = allowedKeyrings && new Set(allowedKeyrings);
  return grantOf(
    { kind: 'api_key', name: id, ...idsOf(peer), scope, api_key: id },
    [{ scope, keyrings, purposes }],
    { bounds, signaturesPerSecond: key.maxSignaturesPerSecond ?? usualRate },
  );
}

export function idsOf(peer: Peer): { readonly uid: number | null; readonly pid: number | null } {
  return peer.kind === 'process' ? { uid: peer.uid, pid: peer.pid } : { uid: null, pid: null };
}

/** Its scope is what it is allowed. */
function principalOf(peer: Peer): Principal {
  const scope = 'none';
  if (peer.kind === 'network') {
    return { kind: 'network', name: peer.address, uid: null, pid: null, scope };
  }
  const { uid, pid, name } = peer;
  return { kind: 'user', name: name ?? String(uid), uid, pid, scope };
}
