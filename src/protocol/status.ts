import type {
  AlgorithmName,
  BackendName,
  KeyStatus,
  Protection,
} from '../keyring/signing-backend.ts';

/** The result of `status`. Times are RFC 3339 in UTC. */
export interface AgentStatus {
  readonly agent: { readonly version: string; readonly pid: number; readonly started_at: string };
  readonly keyrings: readonly KeyringStatus[];
  readonly connections: { readonly open: number; readonly accepted: number };
  /** Since the start. `signatures` counts messages, `errors` the refused and failed requests. */
  readonly counters: {
    readonly requests: number;
    readonly errors: number;
    readonly signatures: number;
  };
}

/** Of a keyring that is not open, only the name, the backend and the last error are known. */
export interface KeyringStatus {
  readonly name: string;
  readonly backend: BackendName;
  readonly protection: Protection | null;
  readonly algorithm: AlgorithmName;
  readonly active_kid: string | null;
  readonly key_counts: Readonly<Record<KeyStatus, number>> | null;
  readonly health: 'ok' | 'unavailable';
  readonly last_error: {
    readonly kind: string;
    readonly message: string;
    readonly at: string;
  } | null;
  /** null: rotated by hand. */
  readonly next_rotation: string | null;
}
