import type { CaCert } from './ca-cert.ts';
import type { BackendName, Protection } from '../api/signing-backend.ts';

/** The result of `ca_show`. Times are RFC 3339 in UTC. */
export interface CaView {
  readonly ca_kid: string;
  /** 32 bytes, base64url. */
  readonly ca_public_key_b64: string;
  readonly cluster_domain: string;
  readonly backend: BackendName;
  readonly protection: Protection;
  readonly created_at: string;
  /** Whose keys it certifies. */
  readonly keyring: string;
  /** The newest one of the active key; null where it has none that holds. */
  readonly certificate: CaCert | null;
}
