import { describeFailure } from '../errors.ts';
import { encodeBase64 } from '../base64.ts';
import { formatTime } from '../rfc3339.ts';
import type { StateStore, Versioned } from '../state/state-store.ts';
import { signatureLength } from '../vault/algorithm.ts';
import type { Vault } from '../vault/vault.ts';
import type { World } from '../world.ts';
import { KeyringHealth } from './health.ts';
import { KeyChanges } from './key-changes.ts';
import { countKeys, keyView, validKeyViews } from './key-views.ts';
import {
  activate,
  activeKey,
  expiredGrace,
  prepare,
  refuseSecondPrepared,
  refuseUnrevocable,
  remove,
  revoke,
  signingKey,
  statusOf,
  validKeys,
  type KeyRecord,
  type KeyringState,
} from './lifecycle.ts';
import { proveKey } from './prove-key.ts';
import type {
  BackendDescription,
  KeyAdministration,
  KeyDetails,
  PreparedKey,
  Revocation,
  Rotation,
  Signature,
  SignatureBatch,
  SigningBackend,
  ValidKey,
  Verification,
} from './signing-backend.ts';

export interface KeyringParts {
  readonly name: string;
  readonly vault: Vault;
  readonly store: StateStore;
  readonly world: World;
}

/** A named set of keys, one of them active: ties a vault to a state store by the rules of the lifecycle. */
export class Keyring implements SigningBackend, KeyAdministration {
  readonly name: string;
  readonly health: KeyringHealth;
  readonly #vault: Vault;
  readonly #world: World;
  readonly #changes: KeyChanges;

  /** Opened by `openKeyring`, which first holds state and vault against each other. */
  constructor({ name, vault, store, world }: KeyringParts) {
    this.name = name;
    this.#vault = vault;
    this.#world = world;
    this.health = new KeyringHealth(world.now, world.log.child({ keyring: name }));
    this.#changes = new KeyChanges({ name, vault, store, world });
  }

  describeBackend(): Promise<BackendDescription> {
    return Promise.resolve(this.description);
  }

  get description(): BackendDescription {
    const { name, protection, algorithm } = this.#vault;
    return {
      name,
      is_hardware_backed: protection === 'hardware',
      protection,
      algorithm: algorithm.name,
    };
  }

  async activeKeyId(): Promise<string> {
    return Promise.resolve(this.activeKid());
  }

  activeKid(): string {
    return activeKey(this.#current().state).kid;
  }

  async publicKeyB64(kid: string): Promise<string | null> {
    const state = await this.#state();
    const key = state.keys.get(kid);
    const status = statusOf(state, kid, this.#world.now());
    if (key === undefined || status === 'revoked' || status === 'retired') return null;
    return encodeBase64(key.publicKey);
  }

  async listValidPubkeys(
    options: { include_prepared?: boolean } = {},
  ): Promise<readonly ValidKey[]> {
    const { include_prepared = false } = options;
    return validKeyViews(await this.#state(), this.#world.now(), include_prepared);
  }

  async sign(message: Uint8Array, kid?: string): Promise<Signature> {
    const key = signingKey(this.#current().state, kid, this.#world.now());
    return { kid: key.kid, signature: await this.health.observe(this.#vault.sign(key, message)) };
  }

  async signBatch(messages: readonly Uint8Array[], kid?: string): Promise<SignatureBatch> {
    const key = signingKey(this.#current().state, kid, this.#world.now());
    const signatures = await this.health.observe(
      Promise.all(messages.map((message) => this.#vault.sign(key, message))),
    );
    return { kid: key.kid, signatures };
  }

  async rotate(graceSeconds: number): Promise<Rotation> {
    const rotation = await this.#changes.run<Rotation>({
      needsKey: (state) => state.prepared === null,
      activates: preparedKey,
      apply: (state, newKey) => {
        const next = preparedKey(state) ?? required(newKey);
        const change = activate(state, next, this.#world.now(), graceSeconds);
        return {
          state: change.state,
          result: {
            new_active_kid: next.kid,
            new_active_public_key_b64: encodeBase64(next.publicKey),
            previous_kid: change.previousKid,
            previous_grace_until: change.previousGraceUntil,
          },
        };
      },
    });
    this.#world.log.info({ keyring: this.name, ...rotation }, 'rotated');
    return rotation;
  }

  async pruneExpiredGrace(): Promise<number> {
    const kids = await this.#changes.run<readonly string[]>({
      needsKey: () => false,
      apply: (state) => {
        const expired = expiredGrace(state, this.#world.now());
        return { state: expired.length === 0 ? state : remove(state, expired), result: expired };
      },
    });
    if (kids.length > 0) this.#world.log.info({ keyring: this.name, kids }, 'pruned');
    return kids.length;
  }

  async prepare(activateAfterSeconds?: number): Promise<PreparedKey> {
    const prepared = await this.#changes.run<PreparedKey>({
      needsKey: (state) => {
        refuseSecondPrepared(state);
        return true;
      },
      apply: (state, newKey) => {
        const key = required(newKey);
        const activatesAt =
          activateAfterSeconds === undefined
            ? null
            : formatTime(this.#world.now() + activateAfterSeconds * 1000);
        return {
          state: prepare(state, key, activatesAt),
          result: {
            kid: key.kid,
            public_key_b64: encodeBase64(key.publicKey),
            activates_at: activatesAt,
          },
        };
      },
    });
    this.#world.log.info({ keyring: this.name, ...prepared }, 'prepared');
    return prepared;
  }

  async revoke(kid: string, reason?: string): Promise<Revocation> {
    const revocation = await this.#changes.run<Revocation>({
      needsKey: (state) => {
        refuseUnrevocable(state, kid, this.#world.now());
        return state.active === kid && state.prepared === null;
      },
      activates: (state) => (state.active === kid ? preparedKey(state) : null),
      apply: (state, newKey) => {
        refuseUnrevocable(state, kid, this.#world.now());
        const at = formatTime(this.#world.now());
        const replacement = state.active === kid ? (preparedKey(state) ?? required(newKey)) : null;
        return {
          state: revoke(state, kid, at, reason ?? null, replacement),
          result: {
            kid,
            revoked_at: at,
            ...(replacement === null ? {} : { new_active_kid: replacement.kid }),
          },
        };
      },
    });
    this.#world.log.warn({ keyring: this.name, ...revocation, reason }, 'revoked');
    return revocation;
  }

  async verify(message: Uint8Array, signature: Uint8Array, kid?: string): Promise<Verification> {
    const state = await this.#state();
    const now = this.#world.now();
    const candidates = validKeys(state, now).filter((key) => kid === undefined || key.kid === kid);
    const refuse = (reason: string): Verification => ({ valid: false, kid: kid ?? null, reason });
    if (signature.length !== signatureLength) {
      return refuse(`a signature has ${signatureLength} bytes, this one ${signature.length}`);
    }
    if (candidates.length === 0) return refuse(`key ${kid ?? ''} is not valid now`);
    const signer = candidates.find((key) =>
      this.#vault.algorithm.verify(message, signature, key.publicKey),
    );
    if (signer !== undefined) return { valid: true, kid: signer.kid };
    return refuse(
      kid === undefined
        ? 'no currently valid key made this signature over this message'
        : `key ${kid} did not make this signature over this message`,
    );
  }

  async listKeys(): Promise<readonly KeyDetails[]> {
    const state = await this.#state();
    const now = this.#world.now();
    return Promise.all([...state.keys.values()].map((key) => this.#details(state, key, now)));
  }

  /** How many keys are in each state now. */
  keyCounts(): Readonly<Record<KeyDetails['state'], number>> {
    return countKeys(this.#current().state, this.#world.now());
  }

  /** Signs a random message with the active key and verifies it. Throws where either fails. */
  async proveActiveKey(): Promise<void> {
    const key = activeKey(await this.#state());
    await proveKey({ name: this.name, vault: this.#vault, world: this.#world }, key);
  }

  /** Waits for the change under way, then lets go of the vault. */
  async close(): Promise<void> {
    await this.#changes.idle();
    await this.#vault.close();
  }

  async #details(state: KeyringState, key: KeyRecord, now: number): Promise<KeyDetails> {
    const view = keyView(state, key, now);
    return {
      ...view,
      protection: this.#vault.protection,
      object_id: this.#vault.reserve === null ? null : key.objectId,
      attributes: view.state === 'revoked' ? null : await this.#evidence(key),
    };
  }

  async #evidence(key: KeyRecord): Promise<Readonly<Record<string, unknown>> | null> {
    try {
      return await this.#vault.evidence(key);
    } catch (failure) {
      return { error: describeFailure(failure) }; // one lost object must not hide the others
    }
  }

  /** As `#current`, its failures as a rejection. */
  async #state(): Promise<KeyringState> {
    return Promise.resolve(this.#current().state);
  }

  #current(): Versioned {
    return this.#changes.current();
  }
}

/** `needsKey` said that a key is needed, so there is one. */
function required(newKey: KeyRecord | null): KeyRecord {
  if (newKey === null) throw new Error('a change that needs a key was given none');
  return newKey;
}

/** What becomes active next without a key being made. */
function preparedKey(state: KeyringState): KeyRecord | null {
  return state.prepared === null ? null : (state.keys.get(state.prepared.kid) ?? null);
}
