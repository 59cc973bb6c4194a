import type { BackendName, Protection } from './signing-backend.ts';

/** Binds a key of a cluster to its domain for a time; signed by the cluster's CA. */
export interface CaCert {
  readonly v: 1;
  readonly active_kid: string;
  /** 32 bytes, base64url. */
  readonly active_pubkey_b64: string;
  /** RFC 3339, as it was written. */
  readonly issued_at: string;
  readonly expires_at: string;
  readonly cluster_domain: string;
  /** 64 bytes, base64url. */
  readonly sig_by_ca: string;
}

/** What a certificate must keep, in the order in which it is looked at. */
export type CaCertRule = 'form' | 'signature' | 'expired' | 'domain' | 'revoked';

/** The result of `ca_verify`. */
export interface CaVerdict {
  readonly valid: boolean;
  /** The first rule that it breaks. */
  readonly rule?: CaCertRule;
  readonly reason?: string;
  /** null where it is none. */
  readonly certificate: CaCert | null;
}

/** The result of `ca_show`. Times are RFC 3339 in UTC. */
export interface CaView {
  readonly ca_kid: string;
  /** 32 bytes, base64url. */
  readonly ca_public_key_b64: string;
  /** SHA-256 of the key, 64 lowercase hex digits: what CAs are compared by. */
  readonly ca_fingerprint: string;
  readonly cluster_domain: string;
  readonly backend: BackendName;
  readonly protection: Protection;
  readonly created_at: string;
  /** Whose keys it certifies. */
  readonly keyring: string;
  /** The newest one of the active key; null where it has none that holds. */
  readonly certificate: CaCert | null;
}

/** The result of `ca_forget`. */
export interface ForgottenCa {
  readonly ca_kid: string;
  /** Of the CA that was made in its place; null where none could be made yet, which is tried again. */
  readonly new_ca_kid: string | null;
}

/** What others need to trust a cluster's certificates. */
export interface TrustBundle {
  readonly v: 1;
  readonly cluster_domain: string;
  /** 32 bytes, base64url. */
  readonly ca_public_key_b64: string;
  readonly ca_kid: string;
  /** RFC 3339, as it was written. */
  readonly generated_at: string;
}

/** A trusted cluster. `imported_at`: RFC 3339 in UTC. */
export interface TrustBundleView extends Omit<TrustBundle, 'v'> {
  /** SHA-256 of the CA's key, 64 lowercase hex digits: what CAs are compared by. */
  readonly ca_fingerprint: string;
  readonly imported_at: string;
}

/** The result of `trust_import`. `added`: the domain is new. `updated`: a newer one of the same CA. `replaced`: of another CA. */
export interface ImportedBundle extends TrustBundleView {
  readonly change: 'added' | 'updated' | 'replaced' | 'none';
}
