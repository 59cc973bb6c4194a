import type { CaCert } from '../api/cluster.ts';

/** Who has the certificates of the cluster's keys. */
export interface CertificateSource {
  /**
   * The newest certificate of a key that holds: signed by the cluster's CA for its domain, not expired, and the key
   * active, prepared or in grace. null where there is none. Throws while the cluster's keyring or its CA is not
   * open, as these do.
   */
  certificateFor(kid: string): CaCert | null;
  /** Issues what is missing, unless that failed a moment ago. Never rejects. */
  issueDue(): Promise<void>;
}
