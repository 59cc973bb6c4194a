import type { PeerCredentials, Principal } from './principal.ts';

/**
 * Who the peer of a connection is. The agent's own user and root are admin; nobody else has a scope.
 * `name` is the login name of `peer.uid`, null where it has none.
 */
export function authenticate(
  peer: PeerCredentials,
  agentUid: number,
  name: string | null,
): Principal {
  return {
    kind: 'user',
    name: name ?? String(peer.uid),
    uid: peer.uid,
    pid: peer.pid,
    scope: peer.uid === agentUid || peer.uid === 0 ? 'admin' : 'none',
  };
}
