/** What the kernel says of the process at the other end, fixed when it connected. */
export interface PeerCredentials {
  readonly uid: number;
  /** Effective group (SO_PEERCRED). */
  readonly gid: number;
  readonly pid: number;
  /** Supplementary groups (SO_PEERGROUPS). */
  readonly groups: readonly number[];
}
