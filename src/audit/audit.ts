import type { AuditStatus } from '../api/status.ts';
import type { Caller } from '../access/caller.ts';
import type { Principal } from '../api/principal.ts';
import type { ErrorKind } from '../base/errors.ts';
import type { AuditOutcome } from './chain/record.ts';

/** One operation that signs, changes something, or was refused. */
export interface AuditEvent {
  /** Null: the agent itself, by its schedule. */
  readonly caller: Caller | null;
  /** Null where it was refused before it was known. */
  readonly principal: Principal | null;
  readonly method: string;
  readonly keyring: string | null;
  readonly kid: string | null;
  /** What was signed; the record has the SHA-256 of each. */
  readonly messages: readonly Uint8Array[];
  /** What else it was about: API keys and client keys by id, a new client key as an age recipient; with commas. */
  readonly subject: string | null;
  readonly outcome: AuditOutcome;
  /** Of a refusal or a failure. */
  readonly kind: ErrorKind | null;
  /** Why, for the auditor; it may say more than the caller was told. */
  readonly reason: string | null;
  /** Sequence number of the record `begun`. */
  readonly of: number | null;
  /**
   * `counted`: it has no record of its own. `folded`: equal ones that follow within a minute have none. Absent: it has
   * one, unless it is a refusal beyond what its caller may have written.
   */
  readonly repeats?: 'counted' | 'folded';
  /** It takes something back, and may be written into the space that is held in reserve. */
  readonly isUrgent?: boolean;
}

/** Where operations are recorded. */
export interface Audit {
  /** False: whatever is recorded is nowhere, and need not be put together. */
  readonly isOn: boolean;
  /** Throws `audit_unavailable` while nothing can be written: asked before anything is signed. */
  requireReady(): void;
  /**
   * Writes the record; resolves with its sequence number when it is on disk. Rejects with `audit_unavailable`, and
   * then the record is nowhere.
   */
  record(event: AuditEvent): Promise<number>;
  /**
   * Writes the record of something that is done and cannot be undone: resolves when it is on disk, or at once where
   * that cannot be now. Then it is kept, and goes before every other record.
   */
  recordSurely(event: AuditEvent): Promise<void>;
  status(): AuditStatus;
}

/** Without an audit log: as configured, nothing is recorded. */
export const noAudit: Audit = {
  isOn: false,
  requireReady: () => undefined,
  record: () => Promise.resolve(0),
  recordSurely: () => Promise.resolve(),
  status: () => ({
    enabled: false,
    fsync: false,
    health: 'ok',
    last_seq: null,
    file: null,
    last_error: null,
  }),
};
