import type {
  CaCert,
  CaVerdict,
  CaView,
  ForgottenCa,
  ImportedBundle,
  TrustBundle,
  TrustBundleView,
} from '../api/cluster.ts';
import type { CallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

/**
 * The CA of the cluster, and the clusters that are trusted. Functions of the CA also reject with `not_supported`
 * without a `[cluster]` in the configuration, `locked` where the CA waits for its PIN, and `backend_unavailable` while
 * it cannot be used.
 */
export interface ClusterCalls {
  /**
   * The CA and the newest certificate of the active key.
   *
   * @throws {AgentError} `not_supported`, `locked`, `backend_unavailable`.
   */
  caShow(options?: CallOptions): Promise<CaView>;
  /**
   * `certificate`: its JSON text. One that does not hold is an answer, with the rule that it breaks, and not an error.
   *
   * @throws {AgentError} `not_supported`, `locked`, `backend_unavailable`; `invalid_params` for more than 64 KiB.
   */
  caVerify(certificate: string, options?: CallOptions): Promise<CaVerdict>;
  /**
   * What others need to trust this cluster's certificates.
   *
   * @throws {AgentError} `not_supported`, `locked`, `backend_unavailable`.
   */
  caBundle(options?: CallOptions): Promise<TrustBundle>;
  /**
   * A new certificate of the active key. `validitySeconds`: whole, 1 or more; where not given, for what remains of the
   * key's life and its grace.
   *
   * @throws {AgentError} `invalid_params`, `conflict`, `audit_unavailable`; `not_supported`, `locked`,
   * `backend_unavailable`.
   */
  caIssue(
    options?: CallOptions & { readonly validitySeconds?: number | undefined },
  ): Promise<CaCert>;
  /**
   * Forgets the CA of that kid, whose key is lost or was taken out of its place, and makes another, which everybody
   * must be given anew. Nothing takes it back.
   *
   * @throws {AgentError} `not_found` where the CA is another one; `conflict` while a key is at its place;
   * `invalid_params`, `audit_unavailable`; `not_supported`, `locked`, `backend_unavailable`.
   */
  caForget(caKid: string, options?: CallOptions): Promise<ForgottenCa>;
  /**
   * By domain.
   *
   * @throws {AgentError} `backend_unavailable` where one of them cannot be read.
   */
  trustList(options?: CallOptions): Promise<readonly TrustBundleView[]>;
  /**
   * `bundle`: its JSON text as it was written. `replace`: also where the domain is trusted with another CA.
   * `fingerprint`: what the SHA-256 of the CA's key must be, in hex.
   *
   * @throws {AgentError} `already_exists` where the domain has another CA; `conflict` for an older bundle, one of the
   * future, one whose CA has another fingerprint, and for
   * another CA of this agent's own domain; `too_large` where there are as many as there may be; `invalid_params`,
   * `audit_unavailable`, `backend_unavailable`.
   */
  trustImport(
    bundle: string,
    options?: CallOptions & {
      readonly replace?: boolean | undefined;
      readonly fingerprint?: string | undefined;
    },
  ): Promise<ImportedBundle>;
  /**
   * The cluster of that domain is trusted no more.
   *
   * @throws {AgentError} `not_found`, `invalid_params`, `conflict`, `audit_unavailable`, `backend_unavailable`.
   */
  trustRemove(
    clusterDomain: string,
    options?: CallOptions,
  ): Promise<{ readonly cluster_domain: string }>;
}

export function clusterCalls(wire: Wire): ClusterCalls {
  return {
    caShow: (options = {}) => wire.ask('ca_show', {}, options),
    caVerify: (certificate, options = {}) => wire.ask('ca_verify', { certificate }, options),
    caBundle: async (options = {}) => (await wire.ask('ca_bundle', {}, options)).bundle,
    caIssue: async (options = {}) => {
      const params = { validity_seconds: options.validitySeconds };
      return (await wire.ask('ca_issue', params, options)).certificate;
    },
    caForget: (caKid, options = {}) => wire.ask('ca_forget', { ca_kid: caKid }, options),
    trustList: async (options = {}) => (await wire.ask('trust_list', {}, options)).bundles,
    trustImport: (bundle, { replace, fingerprint, ...options } = {}) =>
      wire.ask('trust_import', { bundle, replace, fingerprint }, options),
    trustRemove: (clusterDomain, options = {}) =>
      wire.ask('trust_remove', { cluster_domain: clusterDomain }, options),
  };
}
