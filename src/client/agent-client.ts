import type { Principal } from '../api/principal.ts';
import type {
  BackendDescription,
  KeyDetails,
  PreparedKey,
  Revocation,
  Rotation,
  Signature,
  SignatureBatch,
  ValidKey,
  Verification,
} from '../api/signing-backend.ts';
import type { ApiKeySource } from './api-key.ts';
import type { CallLimits } from './call.ts';
import type { AgentStatus } from '../api/status.ts';

export interface ConnectOptions {
  /**
   * Path of the agent's socket. Where it is not given: `$SIGNING_AGENT_SOCK`, else
   * `$XDG_RUNTIME_DIR/signing-agent/agent.sock` (root: `/run/signing-agent/agent.sock`; no runtime dir:
   * `agent.sock` in the agent's state dir).
   */
  readonly socket?: string | undefined;
  /** Keyring of every call that names none; where neither does, the agent takes `default`. */
  readonly keyring?: string | undefined;
  /** Deadline of every call that sets none, in milliseconds; 10,000 where not given. */
  readonly timeoutMs?: number | undefined;
  /**
   * API key that every connection authenticates with, the ones made again too, before anything else is sent. Where
   * it is not accepted, connecting and calls reject with the agent's AgentError, and nothing else was sent.
   */
  readonly apiKey?: ApiKeySource | undefined;
}

/** What any call may be limited by. */
export type CallOptions = CallLimits;

/** For calls about one keyring. */
export interface KeyringCallOptions extends CallOptions {
  readonly keyring?: string | undefined;
}

/** For calls that use one key; without `kid` the agent chooses, as each method says. */
export interface KeyCallOptions extends KeyringCallOptions {
  readonly kid?: string | undefined;
}

/**
 * A connection to an agent. Calls are pipelined: any number may be in flight, answers come in any order.
 * A lost connection is made again by the next call. Reading and signing calls that were in flight are sent
 * once more, and an agent that restarts is waited for, 2 s at most and within their deadline.
 *
 * Results have the wire's shapes, with bytes for messages and signatures; public keys are base64url without
 * padding, times RFC 3339 in UTC, durations whole seconds.
 *
 * Every method rejects with an {@link AgentError} for what the agent refuses (`kind` says why; a kind newer
 * than this library arrives as `internal` with `details.unknown_kind`), and as `overloaded` where 64 MiB of
 * calls already wait to be sent; with a {@link ConnectionError} for what befalls the connection; with the
 * reason of `signal`; with a RangeError for a `timeoutMs` that is not above 0. A call that changes keys
 * (`rotate`, `pruneExpiredGrace`, `prepare`, `revoke`, unknown methods of `call`) is never sent twice: where
 * its connection is lost, or its deadline passes, its outcome is unknown and `listKeys` shows it.
 */
export interface AgentClient {
  describeBackend(options?: KeyringCallOptions): Promise<BackendDescription>;
  /** Key id of the active key. */
  activeKeyId(options?: KeyringCallOptions): Promise<string>;
  /** null where the kid is unknown, revoked, or its grace has expired. */
  publicKeyB64(kid: string, options?: KeyringCallOptions): Promise<string | null>;
  /** Active first, then grace by descending `valid_until`, then, where asked for, the prepared key. */
  listValidPubkeys(
    options?: KeyringCallOptions & { readonly include_prepared?: boolean | undefined },
  ): Promise<readonly ValidKey[]>;
  /** 64 signature bytes by `kid`, or by the active key. `unknown_kid`, `too_large` with `details.limit`. */
  sign(message: Uint8Array, options?: KeyCallOptions): Promise<Signature>;
  /** 1 to 256 messages, all signed by one key, or none is answered. */
  signBatch(messages: readonly Uint8Array[], options?: KeyCallOptions): Promise<SignatureBatch>;
  /** The previous key stays valid for `graceSeconds`, whole, 0 or more. `conflict`: try again. */
  rotate(graceSeconds: number, options?: KeyringCallOptions): Promise<Rotation>;
  /** Answers how many keys were removed. */
  pruneExpiredGrace(options?: KeyringCallOptions): Promise<number>;
  /** Strict (contract section 4), against the currently valid keys, or against `kid` alone. */
  verify(
    message: Uint8Array,
    signature: Uint8Array,
    options?: KeyCallOptions,
  ): Promise<Verification>;
  /** A key that is published and not yet used. `already_exists` while another one waits. */
  prepare(
    options?: KeyringCallOptions & { readonly activateAfterSeconds?: number | undefined },
  ): Promise<PreparedKey>;
  /** The key is valid nowhere from now on. `unknown_kid` where there is none, or it is revoked already. */
  revoke(
    kid: string,
    options?: KeyringCallOptions & { readonly reason?: string | undefined },
  ): Promise<Revocation>;
  /** Every key, whatever its state. */
  listKeys(options?: KeyringCallOptions): Promise<readonly KeyDetails[]>;
  ping(options?: CallOptions): Promise<void>;
  /**
   * From its answer on, this connection and later ones have what the API key has. `unauthenticated` where it is not
   * accepted, and then they have what they had. Never sent twice.
   */
  authenticate(apiKey: ApiKeySource, options?: CallOptions): Promise<Principal>;
  /** Who the agent takes this connection for. */
  whoami(options?: CallOptions): Promise<Principal>;
  status(options?: CallOptions): Promise<AgentStatus>;
  /**
   * Any method of the wire by its own name: `params` are sent and the result is answered as they are. An
   * `authenticate` that is sent this way is forgotten with its connection.
   */
  call(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<unknown>;
  /** Ends the connection for good; calls in flight reject. Until then the connection keeps Node running. */
  close(): Promise<void>;
}
