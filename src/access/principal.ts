import type { Scope } from '../api/principal.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';

/** Who is at the other end of a connection, as its listener found out when it was accepted. */
export type Peer = ProcessPeer | NetworkPeer;

/** A process of this machine, by what the kernel says of it. */
export interface ProcessPeer extends PeerCredentials {
  readonly kind: 'process';
  /** Login name, null where the uid has none. */
  readonly name: string | null;
  /**
   * Path of the program, null where it cannot be read. Best effort: the process may have become another program
   * since it connected, or another process may have its pid by now. For the record only; nothing is decided by it.
   */
  readonly executable: string | null;
}

/** A client of which the kernel says no more than where it connected from: it has no uid, no groups and no pid. */
export interface NetworkPeer {
  readonly kind: 'network';
  /** Address and port, such as `127.0.0.1:52114`. For the record only; nothing is decided by it. */
  readonly address: string;
  /**
   * What its listener lets such clients do. `[access]` gives them nothing, `*` included, which is every user of this
   * machine. More than `reader` takes an API key.
   */
  readonly scope: Extract<Scope, 'none' | 'reader'>;
}

/** As `shareOf`, of the processes of a user. */
export function shareOfUser(uid: number): string {
  return `uid ${uid}`;
}

/**
 * Under which name what a peer takes of the agent is counted: queue, connections, failures. One a user; all clients
 * of the network have one together, since an address is chosen by whoever calls.
 */
export function shareOf(peer: Peer): string {
  return peer.kind === 'process' ? shareOfUser(peer.uid) : 'network';
}

/** What the log says of a peer. */
export function peerForLog(peer: Peer): Readonly<Record<string, unknown>> {
  return peer.kind === 'process'
    ? { uid: peer.uid, pid: peer.pid, exe_best_effort: peer.executable }
    : { address: peer.address };
}
