import type { RevokedTokenList, RevokedTokenView } from '../api/join-tokens.ts';
import { AgentError } from '../base/errors.ts';
import { formatTime, parseTime } from '../base/rfc3339.ts';
import { hashesOf, signedHash, tokenHash } from './join-token-identity.ts';
import type { JoinToken } from './join-token.ts';

/** How long a token stays revoked of which only the hash is known, milliseconds. */
const lifeOfHash = 24 * 3_600_000;
/** Revocations that there may be at a time. */
const mostRevoked = 100_000;
/** Those that are listed: an answer without a limit holds everybody up. */
const mostListed = 1000;

/** A token that is refused until it expires. Hashes are lowercase hex SHA-256. */
export interface RevokedToken {
  /** Of the token, as it was written where it was revoked. */
  readonly hash: string;
  /** Of what is signed, see `signedHash`; null where only the hash is known. */
  readonly signed: string | null;
  /** The key that signed it; null where only the hash is known. */
  readonly kid: string | null;
  /** RFC 3339 in UTC. */
  readonly revokedAt: string;
  /** RFC 3339: `exp` of the token as it was written, else 24 hours later. */
  readonly expiresAt: string;
  /** The first whole millisecond since the epoch at which it has expired. */
  readonly expiresMs: number;
}

/** Where revocations are kept. `now`: milliseconds since the epoch. Every method may throw `backend_unavailable`. */
export interface RevokedTokenStore {
  /** All that is done in `work` or nothing, against other processes too. */
  atomically<T>(work: () => T): Promise<T>;
  find(hash: string): RevokedToken | null;
  /** Whether an entry that has not expired has one of those hashes, or that hash of what is signed. */
  has(hashes: readonly string[], signed: string, now: number): boolean;
  /** Those that have not expired, the last ones first. */
  list(now: number, limit: number): readonly RevokedToken[];
  count(now: number): number;
  /** In place of the one of that hash, where there is one. */
  put(token: RevokedToken): void;
  /** Removes what has expired, and remembers when the last of it did, where there is any. */
  removeExpired(now: number): void;
  /** When the last one of all that were removed had expired, milliseconds since the epoch; null: none was. */
  latestRemoved(): number | null;
}

/** What is revoked: a token, or one of which only the hash is known. */
export type Revocable =
  { readonly given: string; readonly token: JoinToken } | { readonly hash: string };

export interface RevokedTokensParts {
  /** Null as long as nothing was ever kept. */
  readonly opened: () => RevokedTokenStore | null;
  /** The same, made where it is not there yet. */
  readonly openOrCreate: () => Promise<RevokedTokenStore>;
}

/** The join tokens that were taken back. */
export class RevokedTokens {
  readonly #parts: RevokedTokensParts;

  constructor(parts: RevokedTokensParts) {
    this.#parts = parts;
  }

  /**
   * The time to judge tokens by, where the keys go by `now`. A revocation that was removed because its token had
   * expired must not be missed by a clock that is set back while no agent runs. The end of that token is enough for
   * it: the time of the removal may be that of a clock which ran years ahead, and nobody could take that back.
   */
  timeOf(now: number): number {
    return Math.max(now, this.#parts.opened()?.latestRemoved() ?? now);
  }

  /** Whether it was revoked in whatever spelling. `given`: as it was presented. */
  has(given: string, token: JoinToken, now: number): boolean {
    const store = this.#parts.opened();
    return store?.has(hashesOf(given, token), signedHash(token), now) ?? false;
  }

  /** What is known already is kept: nothing shortens a revocation. Rejects with `too_large` where there are too many. */
  async revoke(what: Revocable, now: number): Promise<RevokedTokenView> {
    const store = await this.#parts.openOrCreate();
    const entry = 'hash' in what ? ofHash(what.hash, now) : ofToken(what.given, what.token, now);
    return store.atomically(() => {
      store.removeExpired(now);
      const known = store.find(entry.hash);
      if (known === null && store.count(now) >= mostRevoked) throw tooMany();
      const revoked = known === null ? entry : joined(known, entry);
      store.put(revoked);
      return viewOf(revoked);
    });
  }

  /** The last thousand, the last one first. */
  async list(now: number): Promise<RevokedTokenList> {
    const store = this.#parts.opened();
    if (store === null) return { revocations: [] };
    return store.atomically(() => {
      store.removeExpired(now);
      const revocations = store.list(now, mostListed).map(viewOf);
      const older = store.count(now) - revocations.length;
      return older === 0 ? { revocations } : { revocations, older };
    });
  }
}

function ofHash(hash: string, now: number): RevokedToken {
  const expiresMs = now + lifeOfHash;
  const times = { revokedAt: formatTime(now), expiresAt: formatTime(expiresMs), expiresMs };
  return { hash, signed: null, kid: null, ...times };
}

function ofToken(given: string, token: JoinToken, now: number): RevokedToken {
  const { exp } = token.claims;
  const ends = parseTime(exp);
  if (ends === null) throw new Error('the time of a token was not checked');
  return {
    hash: tokenHash(given),
    signed: signedHash(token),
    kid: token.kid,
    revokedAt: formatTime(now),
    expiresAt: exp,
    expiresMs: ends.ms + (ends.nanos > 0 ? 1 : 0),
  };
}

function joined(known: RevokedToken, added: RevokedToken): RevokedToken {
  if (known.signed !== null) return known;
  const { expiresAt, expiresMs } = added.expiresMs > known.expiresMs ? added : known;
  return { ...known, signed: added.signed, kid: added.kid, expiresAt, expiresMs };
}

function viewOf({ hash, signed, kid, revokedAt, expiresAt }: RevokedToken): RevokedTokenView {
  const by = signed === null ? 'hash' : 'token';
  return { hash, by, kid, revoked_at: revokedAt, expires_at: expiresAt };
}

function tooMany(): AgentError {
  return new AgentError(
    'too_large',
    `there are ${mostRevoked} revocations already, the most that there may be: rotate the keyring instead, or wait ` +
      'until some have expired',
    { details: { limit: mostRevoked } },
  );
}
