import type { CaCert } from './ca-cert.ts';
import type { CaVerdict } from './ca-verdict.ts';
import type { CaView } from './ca-view.ts';
import type { TrustBundle } from './trust-bundle.ts';

/** The CA of the cluster, open or not, as callers have it. Each throws while it is not open. */
export interface ClusterCa {
  show(): CaView;
  /** `validitySeconds` null: for what remains of the key's life and its grace. */
  issue(validitySeconds: number | null): Promise<CaCert>;
  verify(text: string): CaVerdict;
  bundle(): TrustBundle;
}
