import type { ApiKeyList, CreatedApiKey, RevokedApiKey, UpdatedApiKey } from '../api/api-keys.ts';
import { AgentError, quoted } from '../base/errors.ts';
import { formatTime, parseTime } from '../base/rfc3339.ts';
import type { World } from '../base/world.ts';
import type { Accounts } from './access-rules.ts';
import type { ApiKey, LoadedApiKeys } from './api-key.ts';
import { hashOfSecret } from './api-key-check.ts';
import type { CreateApiKey, UpdateApiKey } from './api-key-request.ts';
import { listedOf, viewOf } from './api-key-view.ts';
import { entryOf, type ApiKeyEntry, type ApiKeysDocument } from './api-keys-format.ts';
import { loadApiKeys, resolveUsers } from './load-api-keys.ts';
import { common, inWords, type Purposes } from './purposes.ts';

/** Where API keys are kept. */
export interface ApiKeyStore {
  /** None where there is no file. Throws `backend_unavailable` for one that is refused. */
  load(): ApiKeysDocument;
  /**
   * Reads, changes and writes, and keeps every other writer away meanwhile. What `edit` throws, it rejects with, and
   * nothing is written. `saved` is called when it is on disk and before the next writer's turn.
   */
  change<T>(
    edit: (before: ApiKeysDocument) => { readonly document: ApiKeysDocument; readonly result: T },
    saved: (document: ApiKeysDocument) => void,
  ): Promise<T>;
}

/** What is known of the uses of keys. */
interface ApiKeyUses {
  /** RFC 3339; null: nobody counted. */
  readonly since: string | null;
  /** Milliseconds since the epoch; null: not since then. */
  lastUsed(id: string): number | null;
}

export interface ApiKeysParts {
  readonly store: ApiKeyStore;
  readonly accounts: Pick<Accounts, 'userId'>;
  /** Names of the keyrings that are configured, with what their keys may be used for. */
  readonly keyrings: ReadonlyMap<string, Purposes>;
  /** Fingerprint of this machine; null where it cannot be told. */
  readonly machine: string | null;
  readonly uses: ApiKeyUses;
  /** What to go by from now on. */
  readonly changed: (keys: LoadedApiKeys) => void;
  readonly world: Pick<World, 'now' | 'randomBytes'>;
}

/**
 * Brings a new secret to its holder, and says what the answer has of it. The Buffer is wiped afterwards. It is called
 * before the key is there: where it rejects, nothing was made.
 */
export type HandOver = (
  secret: Buffer,
) => Promise<{ readonly secret: string } | { readonly sealed: string } | Record<string, never>>;

/** The administration of API keys: the same whether an agent does it or, while none runs, agentctl. */
export class ApiKeys {
  readonly #parts: ApiKeysParts;

  constructor(parts: ApiKeysParts) {
    this.#parts = parts;
  }

  /** Rejects with `already_exists`, `not_found` for a keyring, `invalid_params`, and as `handOver` does. */
  async create(wanted: CreateApiKey, handOver: HandOver): Promise<CreatedApiKey> {
    const { id } = wanted;
    const members = { scope: wanted.scope, ...this.#members(wanted) };
    const { store, world } = this.#parts;
    refuseTaken(store.load(), id); // before a secret is sealed in vain; what counts is asked below
    const secret = secretOf(id, world.randomBytes(32));
    try {
      const hash = `sha256:${Buffer.from(hashOfSecret(secret)).toString('hex')}`;
      const handed = await handOver(secret);
      const { scope, ...rest } = members;
      const created_at = formatTime(world.now());
      const entry = entryOf(withMembers({ id, hash, scope, created_at }, rest));
      const key = usable(entry);
      this.#requirePurposes(key);
      await this.#change((before) => {
        refuseTaken(before, id);
        return { document: { entries: [...before.entries, entry] }, result: null };
      });
      return { ...this.#view(key), ...handed };
    } finally {
      secret.fill(0);
    }
  }

  list(): ApiKeyList {
    const { store, uses, world } = this.#parts;
    const now = world.now();
    return {
      keys: store.load().entries.map((entry) => listedOf(entry, uses.lastUsed(entry.id), now)),
      last_used_since: uses.since,
    };
  }

  /** What the key may be used for. Throws `not_found`; of a refused one, which an update may mend: all. */
  purposesOf(id: string): Purposes {
    const { key } = found(this.#parts.store.load(), id);
    return key?.allowedPurposes ?? null;
  }

  /** As `create`; `not_found` where there is none, `not_supported` where it would stay refused. */
  async update(wanted: UpdateApiKey): Promise<UpdatedApiKey> {
    const members = { scope: wanted.scope, ...this.#members(wanted) };
    const key = await this.#change((before) => {
      const { written } = found(before, wanted.id);
      const entry = entryOf(withMembers(written, members));
      const result = usable(entry);
      if (wanted.allowed_purposes !== undefined) this.#requirePurposes(result);
      const entries = before.entries.map((one) => (one.id === entry.id ? entry : one));
      return { document: { entries }, result };
    });
    return this.#view(key);
  }

  /** Rejects with `not_found`. */
  revoke(id: string): Promise<RevokedApiKey> {
    return this.#change((before) => {
      found(before, id);
      const revoked_at = formatTime(this.#parts.world.now());
      const entries = before.entries.filter((entry) => entry.id !== id);
      return { document: { entries }, result: { id, revoked_at } };
    });
  }

  #change<T>(edit: (before: ApiKeysDocument) => { document: ApiKeysDocument; result: T }) {
    const { store, accounts, changed } = this.#parts;
    return store.change(edit, (document) => {
      changed(loadApiKeys(document, accounts));
    });
  }

  #view(key: ApiKey): UpdatedApiKey {
    return { ...viewOf(key), warnings: resolveUsers(key, this.#parts.accounts).warnings };
  }

  /** Members of the file: undefined for one that stays as it is, null for one that goes. */
  #members(wanted: Omit<UpdateApiKey, 'id' | 'scope'>): Record<string, unknown> {
    const { allowed_keyrings, allowed_users, allowed_machines } = wanted;
    for (const name of allowed_keyrings ?? []) this.#requireKeyring(name);
    return {
      expires_at: this.#expiry(wanted),
      allowed_users,
      allowed_machines: allowed_machines?.map((given) => this.#machine(given)) ?? allowed_machines,
      allowed_keyrings,
      allowed_purposes: wanted.allowed_purposes,
      note: wanted.note,
      max_signatures_per_second: wanted.max_signatures_per_second,
      max_connections: wanted.max_connections,
    };
  }

  #requireKeyring(name: string): void {
    const { keyrings } = this.#parts;
    if (keyrings.has(name)) return;
    const names = [...keyrings.keys()].join(', ');
    throw new AgentError(
      'not_found',
      `allowed_keyrings: there is no keyring ${quoted(name)}; there are: ${names}`,
    );
  }

  /** A purpose that none of its keyrings has is one that the key could never use. */
  #requirePurposes({ allowedKeyrings, allowedPurposes }: ApiKey): void {
    const { keyrings } = this.#parts;
    const own = [...keyrings].filter(([name]) => allowedKeyrings?.includes(name) ?? true);
    for (const purpose of allowedPurposes ?? []) {
      if (own.some(([, purposes]) => common(purposes, new Set([purpose]))?.size !== 0)) continue;
      const there = own.map(([name, purposes]) => `${name} has ${inWords(purposes)}`).join('; ');
      throw invalid('allowed_purposes', `no keyring of the key has purpose ${purpose}: ${there}`);
    }
  }

  #machine(given: string): string {
    if (given !== 'this') return given;
    const { machine } = this.#parts;
    if (machine !== null) return machine;
    throw new AgentError(
      'not_supported',
      'allowed_machines: this machine cannot be told from others: /etc/machine-id is missing or has no id ' +
        '(systemd-machine-id-setup makes one)',
    );
  }

  #expiry(wanted: Pick<UpdateApiKey, 'expires_at' | 'expires_in_seconds'>) {
    const { expires_in_seconds: seconds, expires_at: at } = wanted;
    const now = this.#parts.world.now();
    if (seconds === undefined) {
      if (typeof at === 'string' && (parseTime(at)?.ms ?? 0) <= now) {
        throw invalid('expires_at', 'is in the past; apikey_revoke ends a key');
      }
      return at;
    }
    if (at !== undefined) throw invalid('expires_at', 'cannot be given with expires_in_seconds');
    return formatTime(now + seconds * 1000);
  }
}

/** `sa_<id>_<64 hex>` as it is typed, made without a string that could not be wiped. */
function secretOf(id: string, random: Buffer): Buffer {
  const prefix = Buffer.from(`sa_${id}_`, 'latin1');
  const secret = Buffer.alloc(prefix.length + 2 * random.length);
  prefix.copy(secret);
  const digit = (value: number): number => value + (value < 10 ? 0x30 : 0x57);
  random.forEach((byte, at) => {
    secret[prefix.length + 2 * at] = digit(byte >> 4);
    secret[prefix.length + 2 * at + 1] = digit(byte & 15);
  });
  random.fill(0);
  return secret;
}

function withMembers(
  written: Readonly<Record<string, unknown>>,
  members: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  const all = Object.entries({ ...written, ...Object.fromEntries(given) });
  const gone = new Set(given.filter(([, value]) => value === null).map(([name]) => name));
  return Object.fromEntries(all.filter(([name]) => !gone.has(name)));
}

function usable({ id, key, refused }: ApiKeyEntry): ApiKey {
  if (key !== null) return key;
  throw new AgentError('not_supported', `API key ${id} would stay refused: ${refused}`);
}

function found({ entries }: ApiKeysDocument, id: string): ApiKeyEntry {
  const entry = entries.find((one) => one.id === id);
  if (entry === undefined) throw new AgentError('not_found', `there is no API key ${quoted(id)}`);
  return entry;
}

function refuseTaken({ entries }: ApiKeysDocument, id: string): void {
  if (!entries.some((one) => one.id === id)) return;
  throw new AgentError(
    'already_exists',
    `there is an API key ${quoted(id)} already: take another name, or agentctl apikey revoke ${id} first`,
  );
}

function invalid(field: string, message: string): AgentError {
  return new AgentError('invalid_params', `${field}: ${message}`, {
    details: { issues: [{ field, message }] },
  });
}
