import type { Principal } from '../api/principal.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';

/** The process at the other end of a connection. */
export interface Peer extends PeerCredentials {
  /** Login name, null where the uid has none. */
  readonly name: string | null;
  /**
   * Path of the program, null where it cannot be read. Best effort: the process may have become another program
   * since it connected, or another process may have its pid by now. For the record only; nothing is decided by it.
   */
  readonly executable: string | null;
}

/** What a caller may do at this moment. */
export interface Grant {
  readonly principal: Principal;
  /** Keyrings that it may use; null: all. */
  readonly keyrings: ReadonlySet<string> | null;
  /** Signatures a second of the API key, over all its connections; null: no limit of its own. */
  readonly signaturesPerSecond: number | null;
}
