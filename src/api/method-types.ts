import type {
  ApiKeyList,
  ApiKeyScope,
  CreatedApiKey,
  RevokedApiKey,
  UpdatedApiKey,
} from './api-keys.ts';
import type { Backup, Restored } from './backup.ts';
import type { Actor, ClientKeyList, ClientKeyView } from './client-keys.ts';
import type {
  CaCert,
  CaVerdict,
  CaView,
  ForgottenCa,
  ImportedBundle,
  TrustBundle,
  TrustBundleView,
} from './cluster.ts';
import type { OpenRpcDocument } from './discovery.ts';
import type {
  JoinTokenVerdict,
  MintedJoinToken,
  RevokedTokenList,
  RevokedTokenView,
  WantedJoinClaims,
} from './join-tokens.ts';
import type { SignedJws, SignedMinisign, SignedSshsig, SshsigHashName } from './formats.ts';
import type { JsonObject, JwtVerification, PublicJwkSet, SignedJwt } from './jwt.ts';
import type { MethodName } from './methods.ts';
import type { Principal } from './principal.ts';
import type { Reloaded } from './reload.ts';
import type {
  BackendDescription,
  ImportedKey,
  KeyDetails,
  PreparedKey,
  Revocation,
  Rotation,
  ValidKey,
  Verification,
} from './signing-backend.ts';
import type { AgentStatus, NextChange } from './status.ts';

/** No members. `Record<string, never>` would have every name as a key. */
type Empty = object;

interface OfKeyring {
  /** Where not given: `default`. */
  readonly keyring?: string | undefined;
}

interface OfKey extends OfKeyring {
  /** Where not given: as the method says, mostly the active key. */
  readonly kid?: string | undefined;
}

/** What narrows an API key down. null: no such restriction; undefined: as it was. */
interface ApiKeyRestrictionParams {
  readonly allowed_keyrings?: readonly string[] | null | undefined;
  readonly allowed_purposes?: readonly string[] | null | undefined;
  readonly allowed_users?: readonly string[] | null | undefined;
  /** `this`, or fingerprints. */
  readonly allowed_machines?: readonly string[] | null | undefined;
  readonly expires_in_seconds?: number | undefined;
  readonly expires_at?: string | null | undefined;
  readonly max_signatures_per_second?: number | null | undefined;
  readonly max_connections?: number | null | undefined;
  readonly note?: string | null | undefined;
}

/**
 * Params and result of every method as they stand on the wire: bytes are base64 in members that end in `_b64`
 * (URL-safe without padding in results), durations whole seconds, times RFC 3339.
 */
interface MethodTypes {
  describe_backend: { params: OfKeyring; result: BackendDescription };
  active_key_id: { params: OfKeyring; result: { readonly kid: string } };
  public_key_b64: {
    params: OfKeyring & { readonly kid: string };
    result: { readonly public_key_b64: string | null };
  };
  list_valid_pubkeys: {
    params: OfKeyring & { readonly include_prepared?: boolean | undefined };
    result: { readonly keys: readonly ValidKey[] };
  };
  sign: {
    params: OfKey & { readonly message_b64: string };
    result: { readonly kid: string; readonly signature_b64: string };
  };
  sign_batch: {
    params: OfKey & { readonly messages_b64: readonly string[] };
    result: { readonly kid: string; readonly signatures_b64: readonly string[] };
  };
  verify: {
    params: OfKey & { readonly message_b64: string; readonly signature_b64: string };
    result: Verification;
  };
  list_keys: {
    params: OfKeyring;
    result: { readonly keys: readonly KeyDetails[]; readonly next_change: NextChange | null };
  };
  attest: {
    params: OfKeyring & { readonly kid: string; readonly nonce_b64: string };
    result: Readonly<Record<string, unknown>>;
  };
  rotate: { params: OfKeyring & { readonly grace_seconds: number }; result: Rotation };
  prepare: {
    params: OfKeyring & { readonly activate_after_seconds?: number | undefined };
    result: PreparedKey;
  };
  import_key: {
    params: OfKeyring & {
      readonly key_file: string;
      readonly password?: string | undefined;
      readonly activate_after_seconds?: number | undefined;
    };
    result: ImportedKey;
  };
  revoke: {
    params: OfKeyring & { readonly kid: string; readonly reason?: string | undefined };
    result: Revocation;
  };
  prune_expired_grace: {
    params: OfKeyring & { readonly left_over?: boolean | undefined };
    result: { readonly pruned: number };
  };
  unlock: {
    params: OfKeyring & { readonly pin: string; readonly again?: boolean | undefined };
    result: Empty;
  };
  lock: { params: OfKeyring; result: Empty };

  sign_sshsig: {
    params: OfKey & {
      readonly namespace: string;
      readonly hash_algorithm: SshsigHashName;
      /** Of the file. */
      readonly digest_b64: string;
    };
    result: SignedSshsig;
  };
  sign_minisign: {
    params: OfKey & {
      /** The BLAKE2b-512 of the file. */
      readonly digest_b64: string;
      readonly trusted_comment: string;
    };
    result: SignedMinisign;
  };
  sign_jws: {
    params: OfKey & { readonly payload_b64: string; readonly headers?: JsonObject | undefined };
    result: SignedJws;
  };

  jwks: { params: OfKeyring; result: PublicJwkSet };
  jwt_sign: {
    params: OfKey & {
      readonly claims?: JsonObject | undefined;
      readonly ttl_seconds: number;
      readonly audience?: string | readonly string[] | undefined;
      readonly subject?: string | undefined;
      readonly alg?: string | undefined;
      readonly typ?: string | undefined;
    };
    result: SignedJwt;
  };
  jwt_verify: {
    params: OfKeyring & {
      readonly token: string;
      readonly audience?: string | undefined;
      readonly clock_skew_seconds?: number | undefined;
      readonly typ?: string | undefined;
    };
    result: JwtVerification;
  };

  ping: { params: Empty; result: Empty };
  whoami: { params: Empty; result: { readonly principal: Principal } };
  status: { params: Empty; result: AgentStatus };
  'rpc.discover': { params: Empty; result: OpenRpcDocument };
  authenticate: {
    params: { readonly api_key: string };
    result: { readonly principal: Principal };
  };
  reload: { params: Empty; result: Reloaded };

  apikey_list: { params: Empty; result: ApiKeyList };
  apikey_create: {
    params: ApiKeyRestrictionParams & {
      readonly id: string;
      readonly scope: ApiKeyScope;
      readonly seal_to?: string | undefined;
    };
    result: CreatedApiKey;
  };
  apikey_update: {
    params: ApiKeyRestrictionParams & {
      readonly id: string;
      readonly scope?: ApiKeyScope | undefined;
    };
    result: UpdatedApiKey;
  };
  apikey_revoke: { params: { readonly id: string }; result: RevokedApiKey };

  clientkey_list: {
    params: {
      readonly include_revoked?: boolean | undefined;
      readonly actor?: Actor | undefined;
    };
    result: ClientKeyList;
  };
  clientkey_show: { params: { readonly id: string }; result: ClientKeyView };
  clientkey_register: {
    params: {
      readonly public_key: string;
      readonly label?: string | undefined;
      readonly actor?: Actor | undefined;
    };
    result: ClientKeyView;
  };
  clientkey_revoke: { params: { readonly id: string }; result: ClientKeyView };

  backup: { params: OfKeyring & { readonly to: readonly string[] }; result: Backup };
  restore: {
    params: OfKeyring & { readonly keystore_b64: string; readonly replace?: boolean | undefined };
    result: Restored;
  };

  ca_show: { params: Empty; result: CaView };
  ca_verify: { params: { readonly certificate: string }; result: CaVerdict };
  ca_bundle: { params: Empty; result: { readonly bundle: TrustBundle } };
  ca_issue: {
    params: { readonly validity_seconds?: number | undefined };
    result: { readonly certificate: CaCert };
  };
  ca_forget: { params: { readonly ca_kid: string }; result: ForgottenCa };
  trust_list: { params: Empty; result: { readonly bundles: readonly TrustBundleView[] } };
  trust_import: {
    params: {
      readonly bundle: string;
      readonly replace?: boolean | undefined;
      readonly fingerprint?: string | undefined;
    };
    result: ImportedBundle;
  };
  trust_remove: {
    params: { readonly cluster_domain: string };
    result: { readonly cluster_domain: string };
  };
  join_token_mint: {
    params: {
      readonly claims: WantedJoinClaims;
      readonly ttl_seconds?: number | undefined;
      readonly federated?: boolean | undefined;
    };
    result: MintedJoinToken;
  };
  join_token_verify: { params: { readonly token: string }; result: JoinTokenVerdict };
  join_token_revocations: { params: Empty; result: RevokedTokenList };
  join_token_revoke: {
    params: { readonly token?: string | undefined; readonly hash?: string | undefined };
    result: RevokedTokenView;
  };
}

/** The params of a method. */
export type ParamsOf<Name extends MethodName> = MethodTypes[Name]['params'];
/** The result of a method. */
export type ResultOf<Name extends MethodName> = MethodTypes[Name]['result'];
