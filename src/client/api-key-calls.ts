import type {
  ApiKeyList,
  ApiKeyScope,
  CreatedApiKey,
  RevokedApiKey,
  UpdatedApiKey,
} from '../api/api-keys.ts';
import type { CallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

/** What narrows an API key down. null: no such restriction. Not given: none for a new key, else as it was. */
export interface ApiKeyRestrictions {
  readonly allowedKeyrings?: readonly string[] | null | undefined;
  /** Such as `minisign`, or `sshsig:file`: a part of what its keyrings have. */
  readonly allowedPurposes?: readonly string[] | null | undefined;
  /** Login names, or uids in decimal. */
  readonly allowedUsers?: readonly string[] | null | undefined;
  /** `this`, or fingerprints, 64 lowercase hex digits. */
  readonly allowedMachines?: readonly string[] | null | undefined;
  /** Whole seconds, 1 or more; in place of `expiresAt`. */
  readonly expiresInSeconds?: number | undefined;
  /** RFC 3339. */
  readonly expiresAt?: string | null | undefined;
  readonly maxSignaturesPerSecond?: number | null | undefined;
  readonly maxConnections?: number | null | undefined;
  /** For people. */
  readonly note?: string | null | undefined;
}

/** API keys. For an admin of the whole agent. */
export interface ApiKeyCalls {
  /**
   * Also the refused and the expired ones; never a secret.
   *
   * @throws {AgentError} `backend_unavailable` where their file is refused.
   */
  apikeyList(options?: CallOptions): Promise<ApiKeyList>;
  /**
   * A new key. Its secret is in this answer and nowhere else: in `secret`, or with `sealTo` in `sealed`, an armored
   * age file for the holder of that client key. Where the answer is lost, so is the secret: revoke the key.
   *
   * @throws {AgentError} `already_exists`; `not_found` for a keyring or a client key; `not_supported` where this
   * machine cannot be told; `invalid_params`, `conflict`, `audit_unavailable`, `backend_unavailable`.
   */
  apikeyCreate(
    id: string,
    scope: ApiKeyScope,
    options?: CallOptions & ApiKeyRestrictions & { readonly sealTo?: string | undefined },
  ): Promise<CreatedApiKey>;
  /**
   * Replaces what is given and leaves the rest as it is.
   *
   * @throws {AgentError} `not_found` for the key or a keyring; `not_supported` where the key would stay refused;
   * `invalid_params`, `conflict`, `audit_unavailable`, `backend_unavailable`.
   */
  apikeyUpdate(
    id: string,
    options?: CallOptions & ApiKeyRestrictions & { readonly scope?: ApiKeyScope | undefined },
  ): Promise<UpdatedApiKey>;
  /**
   * The key is accepted no more, on open connections either.
   *
   * @throws {AgentError} `not_found`, `conflict`, `audit_unavailable`, `backend_unavailable`.
   */
  apikeyRevoke(id: string, options?: CallOptions): Promise<RevokedApiKey>;
}

export function apiKeyCalls(wire: Wire): ApiKeyCalls {
  return {
    apikeyList: (options = {}) => wire.ask('apikey_list', {}, options),
    apikeyCreate: (id, scope, options = {}) => {
      const params = { id, scope, ...restrictionsOf(options), seal_to: options.sealTo };
      return wire.ask('apikey_create', params, options);
    },
    apikeyUpdate: (id, options = {}) => {
      const params = { id, scope: options.scope, ...restrictionsOf(options) };
      return wire.ask('apikey_update', params, options);
    },
    apikeyRevoke: (id, options = {}) => wire.ask('apikey_revoke', { id }, options),
  };
}

function restrictionsOf(options: ApiKeyRestrictions) {
  return {
    allowed_keyrings: options.allowedKeyrings,
    allowed_purposes: options.allowedPurposes,
    allowed_users: options.allowedUsers,
    allowed_machines: options.allowedMachines,
    expires_in_seconds: options.expiresInSeconds,
    expires_at: options.expiresAt,
    max_signatures_per_second: options.maxSignaturesPerSecond,
    max_connections: options.maxConnections,
    note: options.note,
  };
}
