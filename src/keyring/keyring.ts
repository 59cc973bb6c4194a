import { algorithmNames, type JoseAlg } from '../algorithms/algorithm-names.ts';
import { encodeBase64 } from '../base/base64.ts';
import type { StateStore, Versioned } from '../vault/state-store.ts';
import type { CloseOptions, ForeignKey, Vault } from '../vault/vault.ts';
import { AgentError } from '../base/errors.ts';
import type { World } from '../base/world.ts';
import {
  importation,
  preparation,
  pruning,
  pruningOfAll,
  revocation,
  rotation,
} from './requested-changes.ts';
import { KeyringHealth, type KeyringFailure } from './health.ts';
import type { KeyringParts } from './parts.ts';
import { ChangeExecutor } from './change-executor.ts';
import { evidenceOf, keyDetails } from './key-details.ts';
import { countKeys, validKeyViews } from './key-views.ts';
import { keysInUse, type KeyInUse } from './keys-in-use.ts';
import { activeKey, isHeld, keptKey, signingKey, statusOf, validKeys } from './lifecycle.ts';
import type { KeyRecord, KeyringState } from '../vault/key-records.ts';
import { proveKey } from './prove-key.ts';
import { ChangeScheduler } from './change-scheduler.ts';
import { changeView, nextChange, nextRotation, type RotationPolicy } from './rotation-schedule.ts';
import type { NextChange } from '../api/status.ts';
import type {
  BackendDescription,
  ImportedKey,
  KeyAdministration,
  KeyDetails,
  KeyStatus,
  PreparedKey,
  PruneOptions,
  Revocation,
  RollbackProtection,
  Rotation,
  Signature,
  SignatureBatch,
  SigningBackend,
  ValidKey,
  Verification,
} from '../api/signing-backend.ts';
import { TimeKeeper } from './time-keeper.ts';
import { TrustedClock } from './trusted-clock.ts';
import { Upkeep } from './upkeep.ts';
import { usualGraceSeconds } from './usual-grace.ts';
import { Verifications } from './verification.ts';

/** A named set of keys, one of them active: ties a vault to a state store by the rules of the lifecycle. */
export class Keyring implements SigningBackend, KeyAdministration {
  readonly name: string;
  readonly health: KeyringHealth;
  readonly #vault: Vault;
  readonly #store: StateStore;
  readonly #world: World;
  readonly #clock: TrustedClock;
  readonly #changes: ChangeExecutor;
  readonly #scheduler: ChangeScheduler;
  readonly #time: TimeKeeper;
  readonly #upkeep: Upkeep;
  readonly #changed: () => Promise<void>;
  readonly #joseAlg: JoseAlg | undefined;
  readonly #verifications: Verifications;
  #closing: Promise<void> | null = null;

  /** Opened by `openKeyring`, which first compares state and vault. */
  constructor(parts: KeyringParts, clock = new TrustedClock(parts.world, parts.name)) {
    const { name, vault, world, rotation, prunes = true } = parts;
    this.name = name;
    this.#vault = vault;
    this.#store = parts.store;
    this.#world = world;
    this.#clock = clock;
    this.health = new KeyringHealth(vault, world.now, world.log.child({ keyring: name }));
    const changes = new ChangeExecutor(parts, clock);
    this.#changes = changes;
    const ready = this.#ready;
    const { journal, changed = () => Promise.resolve() } = parts;
    this.#changed = changed;
    this.#joseAlg = parts.joseAlg;
    this.#verifications = new Verifications(vault.algorithm);
    const schedule = { rotation, prunes };
    this.#scheduler = new ChangeScheduler({
      ...{ name, schedule, changes, clock, world, ready, journal, changed },
    });
    const shared = vault.reserve === null;
    this.#time = new TimeKeeper({ name, changes, clock, world, shared });
    this.#upkeep = new Upkeep({ world, scheduler: this.#scheduler, time: this.#time });
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

  get rollbackProtection(): RollbackProtection {
    return this.#store.rollbackProtection;
  }

  async activeKeyId(): Promise<string> {
    return Promise.resolve(this.activeKid());
  }

  activeKid(): string {
    return activeKey(this.#current().state).kid;
  }

  /** The time that the keys go by, milliseconds since the epoch: it never goes back. */
  trustedNow(): number {
    return this.#now(this.#current().state);
  }

  /** A key that has a record, whatever its status; null for any other kid. */
  keyOf(kid: string): { readonly status: KeyStatus; readonly publicKey: Uint8Array } | null {
    const { state } = this.#current();
    const key = state.keys.get(kid);
    const status = statusOf(state, kid, this.#now(state));
    return key === undefined || status === null ? null : { status, publicKey: key.publicKey };
  }

  async publicKeyB64(kid: string): Promise<string | null> {
    const state = await this.#state();
    const key = state.keys.get(kid);
    const status = statusOf(state, kid, this.#now(state));
    if (key === undefined || status === 'revoked' || status === 'retired') return null;
    return encodeBase64(key.publicKey);
  }

  async listValidPubkeys(
    options: { includePrepared?: boolean } = {},
  ): Promise<readonly ValidKey[]> {
    const { includePrepared = false } = options;
    const state = await this.#state();
    return validKeyViews(state, this.#now(state), includePrepared);
  }

  /** Every key that is valid now: the active one first, then grace by descending end. */
  validKeys(): readonly KeyRecord[] {
    const { state } = this.#current();
    return validKeys(state, this.#now(state));
  }

  /** Every key that has a record, valid or not, in the order they were made. */
  recordedKeys(): readonly KeyRecord[] {
    return [...this.#current().state.keys.values()];
  }

  /** Whether that public key, whose kid this is, is valid now. */
  isValid(kid: string, publicKey: Uint8Array): boolean {
    const { state } = this.#current();
    const key = state.keys.get(kid);
    if (key === undefined || Buffer.compare(key.publicKey, publicKey) !== 0) return false;
    const status = statusOf(state, kid, this.#now(state));
    return status === 'active' || status === 'grace';
  }

  sign(message: Uint8Array, kid?: string): Promise<Signature> {
    return this.#signing(
      kid,
      (key) => this.#vault.sign(key, message),
      (by, signature) => ({ kid: by, signature }),
    );
  }

  signBatch(messages: readonly Uint8Array[], kid?: string): Promise<SignatureBatch> {
    return this.#signing(
      kid,
      (key) => Promise.all(messages.map((message) => this.#vault.sign(key, message))),
      (by, signatures) => ({ kid: by, signatures }),
    );
  }

  /**
   * A key may be revoked while a signature waits its turn: it is asked again, then, who signs. One promise for all of it:
   * each shows in what a signature takes.
   */
  async #signing<Made, Result>(
    kid: string | undefined,
    make: (key: KeyRecord) => Promise<Made>,
    result: (by: string, made: Made) => Result,
  ): Promise<Result> {
    try {
      const { state } = this.#current();
      let key = signingKey(state, kid, this.#now(state));
      let made: Made;
      try {
        made = await make(key);
      } catch (failure) {
        const { state: after } = this.#current();
        if (isHeld(after, key.objectId)) throw failure;
        key = signingKey(after, kid, this.#now(after));
        made = await make(key);
      }
      this.health.answered();
      return result(key.kid, made);
    } catch (failure) {
      this.health.failed(failure);
      throw failure;
    }
  }

  async rotate(graceSeconds: number): Promise<Rotation> {
    const made = await this.#changes.run(rotation(this.#now, graceSeconds));
    this.#world.log.info({ keyring: this.name, ...made }, 'rotated');
    await this.#changed();
    return made;
  }

  async pruneExpiredGrace({ leftOver = false }: PruneOptions = {}): Promise<number> {
    const change = leftOver ? pruningOfAll(this.#now) : pruning(this.#now);
    const kids = await this.#changes.run(change);
    if (kids.length > 0) this.#world.log.info({ keyring: this.name, kids }, 'pruned');
    await this.#changed();
    return kids.length;
  }

  async prepare(activateAfterSeconds?: number): Promise<PreparedKey> {
    const prepared = await this.#changes.run(preparation(this.#now, activateAfterSeconds ?? null));
    this.#world.log.info({ keyring: this.name, ...prepared }, 'prepared');
    await this.#changed();
    return prepared;
  }

  /** As Vault.importKey; the key is prepared, and `already_exists` while another one is. */
  async importKey(key: ForeignKey, activateAfterSeconds?: number): Promise<ImportedKey> {
    const { importKey } = this.#vault;
    try {
      if (typeof importKey === 'string') {
        throw new AgentError('not_supported', `a key cannot be imported: ${importKey}`);
      }
      const prepared = await this.#changes.run(
        importation(this.#now, activateAfterSeconds ?? null, (objectId) =>
          importKey(objectId, key),
        ),
      );
      this.#world.log.info({ keyring: this.name, ...prepared }, 'imported and prepared');
      await this.#changed();
      const record = keptKey(await this.#state(), prepared.kid);
      return { ...prepared, attributes: await evidenceOf(this.#vault, record) };
    } finally {
      key.password?.fill(0);
    }
  }

  async revoke(kid: string, reason?: string): Promise<Revocation> {
    const made = await this.#changes.run(revocation(this.#now, kid, reason ?? null));
    this.#world.log.warn({ keyring: this.name, ...made, reason }, 'revoked');
    await this.#changed();
    return made;
  }

  async verify(message: Uint8Array, signature: Uint8Array, kid?: string): Promise<Verification> {
    const state = await this.#state();
    const valid = validKeys(state, this.#now(state));
    return this.#verifications.of(valid, { message, signature, kid: kid ?? null });
  }

  async listKeys(): Promise<readonly KeyDetails[]> {
    const state = await this.#state();
    const now = this.#now(state);
    return Promise.all(
      [...state.keys.values()].map((key) => keyDetails(this.#vault, state, key, now)),
    );
  }

  /** As Vault.attest, of a key that is held; `unknown_kid` for any other. */
  async attest(kid: string, nonce: Uint8Array): Promise<Readonly<Record<string, unknown>>> {
    return this.#vault.attest(keptKey(await this.#state(), kid), nonce);
  }

  /** How many keys are in each state now. */
  keyCounts(): Readonly<Record<KeyDetails['state'], number>> {
    const { state } = this.#current();
    return countKeys(state, this.#now(state));
  }

  get #policy(): RotationPolicy | null {
    return this.#scheduler.schedule.rotation;
  }

  /** The active key first, then the prepared one. */
  keysInUse(): readonly KeyInUse[] {
    return keysInUse(this.#current().state, this.#policy);
  }

  /** Signs a random message with the active key and verifies it. Throws where either fails. */
  async proveActiveKey(): Promise<void> {
    const key = activeKey(await this.#state());
    await proveKey({ name: this.name, vault: this.#vault, world: this.#world }, key);
  }

  /** Does what is due by itself now; from `startUpkeep` on that happens by the clock. Never rejects. */
  upkeep(): Promise<void> {
    return this.#upkeep.run();
  }

  startUpkeep(): void {
    this.#upkeep.start();
  }

  /** JWS `alg` of what is signed, unless somebody asks for another of its kind. */
  get joseAlg(): JoseAlg {
    return this.#joseAlg ?? algorithmNames[this.#vault.algorithm.name].jose.alg;
  }

  /** How long a key stays valid at least once it is replaced in the usual way, seconds. */
  get graceSeconds(): number {
    return this.#policy?.graceSeconds ?? usualGraceSeconds;
  }

  /** When the active key is replaced by itself, milliseconds since the epoch; null: rotated by hand. */
  nextRotation(): number | null {
    return this.#policy === null ? null : nextRotation(this.#current().state, this.#policy);
  }

  /** What changes next by itself; null: everything is done by hand. */
  nextChange(): NextChange | null {
    const change = nextChange(this.#current().state, this.#scheduler.schedule);
    return change === null ? null : changeView(change);
  }

  /** How the change that is due by itself failed last; null where none is overdue. */
  get rotationFailure(): KeyringFailure | null {
    return this.#scheduler.lastFailure;
  }

  /** Waits for the change under way, keeps the time where keys depend on it, then lets go of the vault. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    await this.#upkeep.stop();
    await this.#changes.idle();
    await this.#time.runLast();
    await this.#vault.close(options);
  }

  /** A vault that was away is asked again; a signature is what it takes to know. */
  readonly #ready = async (): Promise<void> => {
    if (this.#vault.outage !== null) await this.proveActiveKey();
  };

  readonly #now = (state: KeyringState): number => this.#clock.now(state);

  /** As `#current`, its failures as a rejection. */
  async #state(): Promise<KeyringState> {
    return Promise.resolve(this.#current().state);
  }

  #current(): Versioned {
    return this.#changes.current();
  }
}
