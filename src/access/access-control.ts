import { AgentError } from '../base/errors.ts';
import type { World } from '../base/world.ts';
import { isNamed, type AccessRules } from './access-rules.ts';
import type { LoadedApiKey, LoadedApiKeys } from './api-key.ts';
import {
  faultInWords,
  faultOf,
  findApiKey,
  type ApiKeyFault,
  type ApiKeyUse,
} from './api-key-check.ts';
import type { Caller } from './caller.ts';
import { CredentialError } from './credential-error.ts';
import { KeyConnections } from './key-connections.ts';
import { grantOf, scopeOverAll, type Grant, type KeyringBounds } from './grant.ts';
import { grantOfKey, grantOfPeer, idsOf } from './granted.ts';
import { peerForLog } from './principal.ts';
import type { Principal } from '../api/principal.ts';
import { OperationRates } from './operation-rates.ts';
import { RefusedKeyLines } from './refused-key-lines.ts';
import { Rates } from './rates.ts';

/** How long the answer to a failed attempt is held back; twice as long for each further one, milliseconds. */
const firstPause = 100;
const longestPause = 5000;

/** `[access]` beyond names; null: no limit. */
export interface AccessLimits {
  /** Of users who are readers or apps, signatures among them; null: the usual one, and none on signatures. */
  readonly operationsPerSecondPerUid: number | null;
  readonly signaturesPerSecondPerUid: number | null;
  /** Of an API key that has none of its own. */
  readonly signaturesPerSecondPerKey: number | null;
  readonly connectionsPerKey: number | null;
}

/** What decides who may do what. Replaced whole, at load and at reload. */
export interface AccessSettings {
  readonly rules: AccessRules;
  readonly limits: AccessLimits;
  /** What binds everybody, by the name of the keyring. */
  readonly bounds: ReadonlyMap<string, KeyringBounds>;
  /** What is allowed and may not be meant: a sentence for each. */
  readonly warnings: readonly string[];
}

export interface AccessParts {
  readonly settings: AccessSettings;
  readonly keys: LoadedApiKeys;
  /** Fingerprint of this machine; null where it cannot be told. */
  readonly machine: string | null;
  readonly world: Pick<World, 'now' | 'monotonicNow' | 'pause' | 'log'>;
}

/** Says of every request who is calling and what they may do, by the rules and API keys of that moment. */
export class AccessControl {
  settings: AccessSettings;
  keys: LoadedApiKeys;
  readonly #machine: string | null;
  readonly #world: AccessParts['world'];
  readonly #rates: Rates;
  readonly #connections = new KeyConnections();
  readonly #lastUsed = new Map<string, { readonly hash: Uint8Array; readonly at: number }>();
  readonly #failures = new Map<string, number>();
  readonly #operations: OperationRates;
  readonly #lines: RefusedKeyLines;

  constructor({ settings, keys, machine, world }: AccessParts) {
    this.settings = settings;
    this.keys = keys;
    this.#machine = machine;
    this.#world = world;
    this.#rates = new Rates(world.monotonicNow);
    this.#operations = new OperationRates(world.monotonicNow);
    this.#lines = new RefusedKeyLines(world.monotonicNow);
  }

  /**
   * What the caller may do now. Throws CredentialError where its API key is accepted no more, `rate_limited` where
   * the key may have fewer connections by now, and as many are older than this one.
   */
  grant(caller: Caller): Grant {
    const { rules } = this.settings;
    const known = caller.known;
    if (known !== null && known.rules === rules && known.keys === this.keys) {
      if (known.key !== null) this.#use(known.key, caller);
      return known.grant;
    }
    const key = this.#keyOf(caller);
    if (key !== null) {
      this.#use(key, caller);
      this.#connections.require(key, caller, this.#mostConnections(key));
    }
    const grant = key === null ? this.#ofPeer(caller) : this.#ofKey(caller, key);
    caller.known = { rules, keys: this.keys, key, grant };
    return grant;
  }

  /** As `grant`; a caller that it refuses may do what anybody may. */
  grantOrNone(caller: Caller): Grant {
    try {
      return this.grant(caller);
    } catch (failure) {
      if (!(failure instanceof AgentError)) throw failure;
      const { principal, bounds } = this.#ofPeer(caller);
      return grantOf(principal, [], { bounds, signaturesPerSecond: null });
    }
  }

  /**
   * From now on the connection has what the API key has. Decided at once, so that what the caller sends behind it
   * counts by it; only the answer to a failure is held back. Rejects with CredentialError; with `rate_limited`
   * while such an answer is held back, or where the key has as many connections as it may.
   */
  async authenticate(caller: Caller, secret: string): Promise<Principal> {
    if (caller.slowed) throw rateLimited('one attempt at a time', pauseAfter(caller.failures));
    const found = findApiKey(secret, this.keys);
    const fault = typeof found === 'string' ? found : faultOf(found, this.#useBy(caller));
    if (typeof found === 'string' || fault !== null) {
      return this.#fail(caller, fault ?? 'unknown');
    }
    this.#connections.take(found, caller, this.#mostConnections(found));
    caller.credential = { id: found.id, hash: found.hash };
    caller.known = null;
    caller.failures = 0;
    return this.grant(caller).principal;
  }

  /** The connection has what its user has, as before it authenticated. */
  withdraw(caller: Caller): void {
    this.forget(caller);
    caller.credential = null;
    caller.known = null;
  }

  /** The connection is closed. */
  forget(caller: Caller): void {
    this.#connections.letGo(caller);
  }

  /** See OperationRates. */
  takeOperation(caller: Caller, grant: Grant, signatures: number): void {
    const { operationsPerSecondPerUid } = this.settings.limits;
    this.#operations.take(caller, grant, signatures, operationsPerSecondPerUid);
  }

  /** Throws `rate_limited` with `retry_after_ms`. */
  takeSignatures(grant: Grant, signatures: number): void {
    const { uid, api_key: key } = grant.principal;
    const perUid = this.settings.limits.signaturesPerSecondPerUid;
    const perKey = grant.signaturesPerSecond;
    if (perUid === null && perKey === null) return;
    // Who has no uid signs by an API key or not at all, and goes by the limit of that.
    this.#rates.take(signatures, [
      ...(perUid === null || uid === null
        ? []
        : [
            { name: `uid ${uid}`, who: `uid ${uid}`, perSecond: perUid, of: 'signatures' as const },
          ]),
      ...(perKey === null || key === undefined
        ? []
        : [
            {
              name: `key ${key}`,
              who: `API key ${key}`,
              perSecond: perKey,
              of: 'signatures' as const,
            },
          ]),
    ]);
  }

  /** Failed attempts to authenticate since the start, by the caller's share. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures;
  }

  /** When the key was used last since the start, milliseconds since the epoch; null: not since then. */
  lastUsed(id: string): number | null {
    const key = this.keys.keys.get(id);
    const used = this.#lastUsed.get(id);
    if (key === undefined || used === undefined) return null;
    // An earlier key of that name is not this one.
    return isSame(key.hash, used.hash) ? used.at : null;
  }

  /** What is not as it was meant: names that allow nobody, entries that nobody can use. */
  get warnings(): readonly string[] {
    return [...this.#ofConfiguration, ...this.keys.warnings];
  }

  /** Of those what the caller may know: API keys are for an admin, and the agent not for who is for some keyrings. */
  warningsFor(grant: Grant): readonly string[] {
    if (grant.keyrings !== null) return [];
    return scopeOverAll(grant) === 'admin' ? this.warnings : this.#ofConfiguration;
  }

  get #ofConfiguration(): readonly string[] {
    const { rules, warnings } = this.settings;
    return [...rules.warnings, ...warnings];
  }

  #ofPeer({ peer }: Caller): Grant {
    return grantOfPeer(peer, this.settings.rules, this.settings.bounds);
  }

  #ofKey({ peer }: Caller, key: LoadedApiKey): Grant {
    const { bounds, limits } = this.settings;
    return grantOfKey(peer, key, bounds, limits.signaturesPerSecondPerKey);
  }

  #keyOf({ credential }: Caller): LoadedApiKey | null {
    if (credential === null) return null;
    const key = this.keys.keys.get(credential.id);
    if (key === undefined) throw new CredentialError('gone');
    if (!isSame(key.hash, credential.hash)) throw new CredentialError('replaced');
    return key;
  }

  /** Throws where time, machine or user speak against it. */
  #use(key: LoadedApiKey, caller: Caller): void {
    const use = this.#useBy(caller);
    const fault = faultOf(key, use);
    if (fault !== null) throw new CredentialError(fault);
    this.#lastUsed.set(key.id, { hash: key.hash, at: use.now });
  }

  #useBy({ peer }: Caller): ApiKeyUse {
    return { uid: idsOf(peer).uid, now: this.#world.now(), machine: this.#machine };
  }

  async #fail(caller: Caller, fault: ApiKeyFault): Promise<never> {
    const { peer, share } = caller;
    const ofShare = (this.#failures.get(share) ?? 0) + 1;
    this.#failures.set(share, ofShare);
    caller.failures += 1;
    const isStranger = !isNamed(peer, this.settings.rules);
    this.#lines.take(isStranger, (leftOut) => {
      this.#world.log.warn(
        { ...peerForLog(peer), reason: faultInWords(fault), failures_of_uid: ofShare, ...leftOut },
        'an API key was not accepted',
      );
    });
    caller.slowed = true;
    try {
      await this.#world.pause(pauseAfter(caller.failures));
    } finally {
      caller.slowed = false;
    }
    throw new CredentialError(fault);
  }

  #mostConnections({ maxConnections }: LoadedApiKey): number | null {
    return maxConnections ?? this.settings.limits.connectionsPerKey;
  }
}

function isSame(hash: Uint8Array, other: Uint8Array): boolean {
  return Buffer.from(hash).equals(other);
}

function pauseAfter(failures: number): number {
  return Math.min(longestPause, firstPause * 2 ** Math.max(0, failures - 1));
}

function rateLimited(why: string, retryAfter: number): AgentError {
  return new AgentError('rate_limited', `${why}: try again in ${retryAfter} ms`, {
    details: { retry_after_ms: retryAfter },
  });
}
