import type { CaCert, CaVerdict, CaView, ForgottenCa, TrustBundle } from '../api/cluster.ts';

/** The CA of the cluster, open or not, as callers have it. Each throws while it is not open. */
export interface ClusterCa {
  show(): CaView;
  /** `validitySeconds` null: for what remains of the key's life and its grace. */
  issue(validitySeconds: number | null): Promise<CaCert>;
  verify(text: string): Promise<CaVerdict>;
  bundle(): TrustBundle;
  /**
   * Forgets the CA of that kid, whose key is gone, and makes another. Rejects with `not_found` where it is another one,
   * `conflict` while a key is at its place, and as opening it does while that place cannot be looked at.
   */
  forget(kid: string): Promise<ForgottenCa>;
}
