import type { OpenRpcDocument } from '../api/discovery.ts';
import type { Reloaded } from '../api/reload.ts';
import type { ApiKeys } from '../access/api-keys.ts';
import type { Caller } from '../access/caller.ts';
import type { ClientKeys } from '../access/client-keys.ts';
import type { Grant } from '../access/grant.ts';
import type { Principal } from '../api/principal.ts';
import type { ClusterCa } from '../cluster/cluster-ca.ts';
import type { JoinTokens } from '../cluster/join-tokens.ts';
import type { TrustBundles } from '../cluster/trust-bundles.ts';
import type { JwtPolicy } from '../formats/jose/jwt-policy.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { KeyringBackup } from '../vault/keyring-backup.ts';
import type { AgentStatus } from '../api/status.ts';

/** What methods act on. */
export interface Services {
  /** The keyring of that name. Throws `not_found`, or `backend_unavailable` while it is not open. */
  keyring(name: string): Keyring;
  /** The name of the keyring whose keys are the cluster's. Throws `not_supported` without a `[cluster]`. */
  clusterKeyring(): string;
  /** The CA of the cluster, open or not. Throws `not_supported` without a `[cluster]`. */
  clusterCa(): ClusterCa;
  /** The keystore of a file keyring, open or not. Rejects with `not_found`, `not_supported` for a token's. */
  keystore(name: string): Promise<KeyringBackup>;
  /** What the caller may know: of the keyrings of its API key alone, of API keys where it is admin. */
  status(to: Grant): AgentStatus;
  /** What `rpc.discover` answers. */
  protocol(): Promise<OpenRpcDocument>;
  /** Opens a locked keyring. `pin` stays the caller's; `again`: also one that the token has refused before. */
  unlock(keyring: string, pin: Buffer, again: boolean): Promise<void>;
  /** Closes a keyring and forgets its PIN. */
  lock(keyring: string): Promise<void>;
  /**
   * Makes so many signatures for a caller, and counts them for `status`. Rejects with `overloaded` where they do not
   * fit into the agent's queue.
   */
  signing<T>(caller: Caller, signatures: number, make: () => Promise<T>): Promise<T>;
  /** What the JSON Web Tokens of a keyring say, whoever asks for them. */
  jwtPolicy(keyring: string): JwtPolicy;
  /** That many bytes from the operating system's generator. */
  randomBytes(size: number): Buffer;
  /** Gives the connection what the API key has. Decided before it returns; rejects with `unauthenticated`. */
  authenticate(caller: Caller, secret: string): Promise<Principal>;
  /** The connection has what its user has, as before it authenticated. */
  withdrawCredential(caller: Caller): void;
  /** The registry of client keys, and what seals for them. */
  readonly clientKeys: ClientKeys;
  /** The administration of API keys. */
  readonly apiKeys: ApiKeys;
  /** The clusters whose certificates are believed. */
  readonly trustBundles: TrustBundles;
  /** The join tokens of the cluster, by the keys of its keyring. */
  readonly joinTokens: JoinTokens;
  /** Reads configuration and API keys again. */
  reload(): Promise<Reloaded>;
}

/** For the audit record: which parts could not be read; null where all could. What they say is not for the record. */
export function unreadText({ kept }: Reloaded): string | null {
  const unread = kept.filter(({ failed }) => failed).map(({ part }) => part);
  return unread.length === 0
    ? null
    : `could not be read, and stays as it was: ${unread.join(', ')}`;
}
