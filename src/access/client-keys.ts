import type { Actor, ClientKeyList, ClientKeyView } from '../api/client-keys.ts';
import { AgentError, quoted } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { World } from '../base/world.ts';
import { userIdOf, type Accounts } from './access-rules.ts';
import { recipientOf } from '../formats/age/age-recipient.ts';
import { actorOf, clientKeyId, isSameActor, viewOf, type ClientKey } from './client-key.ts';
import { scopeOverAll, type Grant } from './grant.ts';
import type { Sealer } from './sealer.ts';
import { sealFor } from '../formats/age/sealing.ts';

/** Keys that one actor may have at a time; revoked ones do not count. */
const mostKeys = 1000;
/** Revoked ones that are listed. Their records stay for good, and an answer without a limit holds everybody up. */
const mostRevoked = 1000;
/** Registrations of an actor within a day, unless an admin makes them: revoked ones take room for good. */
const mostOfDay = 200;
/** Milliseconds. */
const day = 24 * 60 * 60 * 1000;

/** Where client keys are kept. Every method may throw `backend_unavailable` or `conflict`. */
export interface ClientKeyStore {
  /** All that is done in `work` or nothing, against other processes too. */
  atomically<T>(work: () => T): Promise<T>;
  find(id: string): ClientKey | null;
  /**
   * The newest first. `actor`: of that one alone; null: of all. `revoked`: of those that were revoked, so
   * many, the last ones.
   */
  list(of: { readonly actor: Actor | null; readonly revoked: number }): readonly ClientKey[];
  countRevoked(actor: Actor | null): number;
  /** Those of an actor that are not revoked. */
  count(actor: Actor): number;
  add(key: ClientKey): void;
  revoke(id: string, at: string): void;
  touch(id: string, at: string): void;
}

export interface ClientKeysParts {
  /** Null as long as no key was ever registered. */
  readonly opened: () => ClientKeyStore | null;
  /** The same, made where it is not there yet. */
  readonly openOrCreate: () => Promise<ClientKeyStore>;
  readonly accounts: Pick<Accounts, 'userId'> & { userName(uid: number): string | null };
  readonly hasApiKey: (id: string) => boolean;
  readonly world: Pick<World, 'now' | 'randomBytes'>;
}

export interface Registration {
  /** Acceptable, see `readPublicKey`. */
  readonly publicKey: Uint8Array;
  readonly label: string | null;
  /** A user by uid or login name. Null: the caller. */
  readonly actor: Actor | null;
}

/** What was sealed, and for which keys. */
export interface Sealed {
  /** Armored. */
  readonly age: string;
  readonly keys: readonly ClientKey[];
}

/**
 * The registry of client keys. Everybody administers their own; an admin of the whole agent administers all.
 * Who is admin of some keyrings alone is nobody special here.
 */
export class ClientKeys implements Sealer {
  readonly #parts: ClientKeysParts;

  constructor(parts: ClientKeysParts) {
    this.#parts = parts;
  }

  /**
   * Throws what `register` rejects with, as far as it can be told without beginning it; `rate_limited` where the
   * caller has registered as many within a day as one may.
   */
  foresee({ publicKey, actor: named }: Registration, grant: Grant): void {
    const actor = this.#actorFor(named, grant);
    const store = this.#parts.opened();
    if (store === null) return;
    refuseSecond(publicKey, store.list({ actor, revoked: 0 }));
    if (store.count(actor) >= mostKeys) throw tooMany();
    if (isAdmin(grant)) return;
    const now = this.#parts.world.now();
    const since = now - day;
    const times = store
      .list({ actor, revoked: mostOfDay })
      .map(({ createdAt }) => Date.parse(createdAt))
      .filter((at) => at > since);
    if (times.length >= mostOfDay) throw tooOften(Math.min(...times) + day - now);
  }

  /**
   * Rejects with `forbidden` (for somebody else, by who is no admin), `not_found` (there is no such actor),
   * `already_exists` with the id, `too_large` where the actor has as many as one may.
   */
  async register(wanted: Registration, grant: Grant): Promise<ClientKeyView> {
    const actor = this.#actorFor(wanted.actor, grant);
    const { world, openOrCreate } = this.#parts;
    const store = await openOrCreate();
    const key: ClientKey = {
      id: clientKeyId(world.randomBytes(16)),
      actor,
      publicKey: wanted.publicKey,
      label: wanted.label,
      createdAt: formatTime(world.now()),
      lastUsedAt: null,
      revokedAt: null,
    };
    await store.atomically(() => {
      refuseSecond(key.publicKey, store.list({ actor, revoked: 0 }));
      if (store.count(actor) >= mostKeys) throw tooMany();
      store.add(key);
    });
    return this.#view(key);
  }

  /**
   * The newest first. `actor` null: the caller's own, and for an admin everybody's. Of revoked ones the last 1000, and how many there
   * are before those. Throws `forbidden`.
   */
  list(of: { actor: Actor | null; revokedToo: boolean }, grant: Grant): ClientKeyList {
    const all = of.actor === null && isAdmin(grant);
    const actor = all ? null : this.#actorFor(of.actor, grant);
    const store = this.#parts.opened();
    if (store === null) return { keys: [] };
    const names = new Map<string, string | null>();
    const listed = store.list({ actor, revoked: of.revokedToo ? mostRevoked : 0 });
    const keys = listed.map((key) => this.#view(key, names));
    const older = of.revokedToo ? Math.max(0, store.countRevoked(actor) - mostRevoked) : 0;
    return older === 0 ? { keys } : { keys, older_revoked: older };
  }

  /** Also one that is revoked. Throws `not_found`, for somebody else's too: an id tells nobody whether it exists. */
  show(id: string, grant: Grant): ClientKeyView {
    return this.#view(this.#own(id, grant).key);
  }

  /** As `show`, rejecting; `not_found` where it is revoked already. */
  async revoke(id: string, grant: Grant): Promise<ClientKeyView> {
    const { store } = this.#own(id, grant);
    return store.atomically(() => {
      const { key } = this.#own(id, grant);
      if (key.revokedAt !== null) {
        throw notFound(id, `client key ${id} was revoked at ${key.revokedAt} already`);
      }
      const revokedAt = formatTime(this.#parts.world.now());
      store.revoke(id, revokedAt);
      return this.#view({ ...key, revokedAt });
    });
  }

  async seal(clientKeys: readonly string[], plaintext: Uint8Array): Promise<string> {
    return (await this.sealFor(clientKeys, plaintext)).age;
  }

  /** As `seal`, with the keys that it was sealed for, each once. */
  async sealFor(clientKeys: readonly string[], plaintext: Uint8Array): Promise<Sealed> {
    const ids = [...new Set(clientKeys)];
    const { keys } = this.#usable(ids);
    const recipients = new Set(keys.map(({ publicKey }) => recipientOf(publicKey)));
    const age = await sealFor([...recipients], plaintext);
    // Once more: one that was revoked meanwhile opens nothing that leaves from here.
    const { store } = this.#usable(ids);
    const at = formatTime(this.#parts.world.now());
    await store.atomically(() => {
      this.#usable(ids);
      for (const id of ids) store.touch(id, at);
    });
    return { age, keys };
  }

  #actorFor(named: Actor | null, grant: Grant): Actor {
    const own = actorOf(grant);
    const actor = named === null ? own : this.#resolved(named, grant, own);
    if (!isAdmin(grant) && !isSameActor(actor, own)) {
      throw new AgentError(
        'forbidden',
        'client keys of others are for an admin of the whole agent',
        { details: { needs: 'admin' } },
      );
    }
    return actor;
  }

  /** Only an admin is told who exists. */
  #resolved(named: Actor, grant: Grant, own: Actor): Actor {
    const { accounts, hasApiKey } = this.#parts;
    if (!isAdmin(grant)) {
      return named.kind === own.kind && named.id === grant.principal.name ? own : named;
    }
    if (named.kind === 'api_key') {
      if (hasApiKey(named.id)) return named;
      throw new AgentError('not_found', `there is no API key ${quoted(named.id)}`);
    }
    const uid = userIdOf(named.id, accounts);
    if (uid !== null) return { kind: 'user', id: String(uid) };
    throw new AgentError('not_found', `there is no user ${quoted(named.id)} here`);
  }

  #own(id: string, grant: Grant): { key: ClientKey; store: ClientKeyStore } {
    const store = this.#parts.opened();
    const key = store?.find(id) ?? null;
    if (store === null || key === null) throw unknown(id);
    if (!isAdmin(grant) && !isSameActor(key.actor, actorOf(grant))) throw unknown(id);
    return { key, store };
  }

  #usable(ids: readonly string[]): { keys: readonly ClientKey[]; store: ClientKeyStore } {
    const store = this.#parts.opened();
    const keys = ids.map((id) => {
      const key = store?.find(id) ?? null;
      if (key === null) throw unknown(id);
      if (key.revokedAt !== null) {
        throw notFound(id, `client key ${id} was revoked at ${key.revokedAt}: name another one`);
      }
      return key;
    });
    if (store === null) throw new Error('there is nobody to seal for');
    return { keys, store };
  }

  /** `names`: of users that were asked for already, by id. */
  #view(key: ClientKey, names = new Map<string, string | null>()): ClientKeyView {
    const { kind, id } = key.actor;
    if (kind === 'api_key') return viewOf(key, null);
    const known = names.get(id);
    const name = known === undefined ? this.#parts.accounts.userName(Number(id)) : known;
    names.set(id, name);
    return viewOf(key, name);
  }
}

/** Of the whole agent. */
function isAdmin(grant: Grant): boolean {
  return scopeOverAll(grant) === 'admin';
}

function refuseSecond(key: Uint8Array, registered: readonly ClientKey[]): void {
  const same = registered.find(({ publicKey }) => Buffer.from(publicKey).equals(key));
  if (same === undefined) return;
  throw new AgentError('already_exists', `this key is registered already, as ${same.id}`, {
    details: { id: same.id },
  });
}

function tooMany(): AgentError {
  return new AgentError(
    'too_large',
    `there are ${mostKeys} client keys already, the most that one may have: revoke some`,
    { details: { limit: mostKeys } },
  );
}

function tooOften(retryAfter: number): AgentError {
  return new AgentError(
    'rate_limited',
    `${mostOfDay} client keys were registered within a day, the most that one may: wait, or ask an admin`,
    { details: { retry_after_ms: Math.max(1, retryAfter) } },
  );
}

function unknown(id: string): AgentError {
  return notFound(id, `there is no client key ${quoted(id)}`);
}

function notFound(id: string, message: string): AgentError {
  return new AgentError('not_found', message, { details: { client_key: id.slice(0, 80) } });
}
