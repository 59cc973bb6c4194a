import type {
  AlgorithmName,
  BackendName,
  KeyStatus,
  Protection,
  RollbackProtection,
} from './signing-backend.ts';

/**
 * The result of `status`. Times are RFC 3339 in UTC. An API key for some keyrings alone is told of those: what is about
 * the agent as a whole is null then.
 */
export interface AgentStatus extends Omit<ListenersStatus, 'connections'> {
  readonly connections: ConnectionCount | null;
  readonly agent: { readonly version: string; readonly pid: number; readonly started_at: string };
  readonly keyrings: readonly KeyringStatus[];
  /**
   * Since the start. `signatures` counts messages, `errors` the refused and failed requests,
   * `authentication_failures` the API keys that were not accepted, `wrong_signatures` those that a device made and that
   * did not verify, none of which left.
   */
  readonly counters: {
    readonly requests: number;
    readonly errors: number;
    readonly signatures: number;
    readonly authentication_failures: number;
    readonly wrong_signatures: number;
  } | null;
  readonly access: {
    /** How many API keys there are that somebody may use. */
    readonly api_keys: number;
    /**
     * Names that could not be resolved and so allow nobody, keyrings that the agent relies on and that are for
     * everything, API keys that nobody can use. Of API keys only an admin is told, and who is for some keyrings of
     * nothing.
     */
    readonly warnings: readonly string[];
  } | null;
  readonly audit: AuditStatus | null;
  /** null: without a `[cluster]`, and for an API key that is not for the cluster's keyring. */
  readonly cluster: ClusterStatus | null;
}

/** As anybody but an API key for some keyrings alone is told. */
export type WholeStatus = AgentStatus & {
  readonly [Name in 'connections' | 'counters' | 'access' | 'audit']: NonNullable<
    AgentStatus[Name]
  >;
};

/** Of a CA that is not open, only the backend and the last error are known. */
export interface ClusterStatus {
  readonly domain: string;
  /** Whose keys are certified. */
  readonly keyring: string;
  readonly backend: BackendName;
  readonly ca_kid: string | null;
  readonly protection: Protection | null;
  /** `locked`: it waits for `unlock` of the keyring `cluster-ca`. */
  readonly health: KeyringStatus['health'];
  readonly last_error: KeyringStatus['last_error'];
  /** Why a key that is in use has no certificate; null where each has one. */
  readonly certificate_error: KeyringStatus['last_error'];
}

/** What `status` says of what the agent listens on: a member a listener. */
export interface ListenersStatus {
  /** Of the agent's own socket. */
  readonly connections: ConnectionCount;
  /** null: there is none. `path`: of its socket. */
  readonly ssh_agent: ({ readonly path: string } & ConnectionCount) | null;
}

/** Open now, and accepted since the start. */
export interface ConnectionCount {
  readonly open: number;
  readonly accepted: number;
}

/** Of a keyring that is not open, only the name, the backend and the last error are known. */
export interface KeyringStatus {
  readonly name: string;
  readonly backend: BackendName;
  readonly protection: Protection | null;
  /** `none` too for a token that cannot keep a seal of the key records. */
  readonly rollback_protection: RollbackProtection | null;
  readonly algorithm: AlgorithmName;
  /** What its keys may be used for, whoever asks; null: everything. */
  readonly purposes: readonly string[] | null;
  readonly active_kid: string | null;
  readonly key_counts: Readonly<Record<KeyStatus, number>> | null;
  /** `locked`: it waits for `unlock`. `unavailable` too where its device has made wrong signatures, though it answers. */
  readonly health: 'ok' | 'locked' | 'unavailable';
  readonly last_error: {
    readonly kind: string;
    readonly message: string;
    readonly at: string;
  } | null;
  /** How it is rotated by itself; null: by hand. */
  readonly rotation: {
    readonly every_seconds: number;
    readonly prepublish_seconds: number;
    readonly grace_seconds: number;
  } | null;
  /** When the active key is replaced by itself. In the past: overdue, and `last_error` says why. */
  readonly next_rotation: string | null;
  /** What changes next by itself. */
  readonly next_change: NextChange | null;
}

/** What `status` says of the audit log. */
export interface AuditStatus {
  readonly enabled: boolean;
  readonly fsync: boolean;
  readonly health: 'ok' | 'unavailable';
  /** Sequence number of the last record on disk; null: none yet. */
  readonly last_seq: number | null;
  readonly file: string | null;
  readonly last_error: { readonly message: string; readonly at: string } | null;
}

/** As callers see it: `at` is RFC 3339. */
export interface NextChange {
  readonly what: 'prepare' | 'activate' | 'prune';
  readonly at: string;
}
