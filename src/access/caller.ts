import type { AccessRules } from './access-rules.ts';
import type { LoadedApiKey, LoadedApiKeys } from './api-key.ts';
import type { Grant } from './grant.ts';
import { shareOf, type Peer } from './principal.ts';

/** What was found out for a caller, and of which rules and keys. */
interface Known {
  readonly rules: AccessRules;
  readonly keys: LoadedApiKeys;
  readonly key: LoadedApiKey | null;
  readonly grant: Grant;
}

/** One connection as access sees it: who connected, and the API key that it has authenticated with since. */
export class Caller {
  readonly peer: Peer;
  /** See `shareOf`. */
  readonly share: string;
  /** The hash tells a key from another one that was given its name later. */
  credential: { readonly id: string; readonly hash: Uint8Array } | null = null;
  /** Attempts to authenticate that failed. */
  failures = 0;
  /** A failed attempt has not been answered yet. */
  slowed = false;
  known: Known | null = null;

  constructor(peer: Peer) {
    this.peer = peer;
    this.share = shareOf(peer);
  }
}
