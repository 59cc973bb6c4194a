import type { CaCert, CaVerdict, CaView, TrustBundle } from '../api/cluster.ts';

/** The CA of the cluster, open or not, as callers have it. Each throws while it is not open. */
export interface ClusterCa {
  show(): CaView;
  /** `validitySeconds` null: for what remains of the key's life and its grace. */
  issue(validitySeconds: number | null): Promise<CaCert>;
  verify(text: string): CaVerdict;
  bundle(): TrustBundle;
}
