import { AgentError, describeFailure, quoted } from '../base/errors.ts';
import type { KeyringPin } from '../vault/pins/keyring-pin.ts';
import type { PinOwner } from './configured-pin.ts';
import { SupervisedPins } from './supervised-pins.ts';
import { asAgentError } from './keyring-status.ts';
import { closedError, type ClosedEntry, type OpenEntry } from './supervised-entry.ts';
import type { KeyringFailure } from '../keyring/health.ts';
import { asLocked, isLocked, lockedError } from '../vault/pins/locked.ts';
import { formatTime } from '../base/rfc3339.ts';
import { Turns } from '../base/turns.ts';
import type { PinGate } from '../vault/pin-gate.ts';
import type { CloseOptions } from '../vault/vault.ts';
import type { World } from '../base/world.ts';

/** First and longest wait before what is optional and whose token is away is tried again, milliseconds. */
const firstRetry = 1000;
const longestRetry = 30_000;

/** What is supervised: a keyring, or the CA of a cluster. */
export interface Openable {
  readonly health: { readonly outage: KeyringFailure | null };
  close(options?: CloseOptions): Promise<void>;
}

/** Of the configuration. */
export type SupervisedSettings = PinOwner & { readonly optional: boolean };

/** `pins` is null for what has no PIN. */
type Open<S, T> = (settings: S, pins: PinGate | null) => Promise<T>;

/** A keyring could not be opened and is not optional. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError';
}

export interface SupervisorOptions {
  /** For systemd credentials. */
  readonly credentialsDir: string | null;
  /** What an optional one is called in the log. */
  readonly called: string;
}

/**
 * What is opened by the configuration's names: open, or locked until `unlock`, or, where it is optional, tried again
 * by itself.
 */
export class Supervisor<S extends SupervisedSettings, T extends Openable> {
  readonly #settings: readonly S[];
  readonly #open: Open<S, T>;
  readonly #pins: SupervisedPins;
  readonly #world: World;
  readonly #called: string;
  readonly #entries = new Map<string, OpenEntry<T> | ClosedEntry>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  /** Opening and closing one of them, whoever wants it: two at once would be two logins. */
  readonly #turns = new Turns();
  #closed = false;

  constructor(
    settings: readonly S[],
    open: Open<S, T>,
    world: World,
    { credentialsDir, called }: SupervisorOptions,
  ) {
    this.#settings = settings;
    this.#open = open;
    this.#world = world;
    this.#called = called;
    this.#pins = new SupervisedPins(settings, credentialsDir, world);
  }

  /** From now on neither tries a PIN that the other one saw refused by the same device. */
  shareRefusals<S2 extends SupervisedSettings, T2 extends Openable>(
    others: Supervisor<S2, T2>,
  ): void {
    this.#pins.shareRefusals(others.#pins);
  }

  /** Opens every keyring but those that are locked. Throws KeyringError, with what was opened closed again. */
  async open(): Promise<void> {
    // Together: a token that hangs holds up nobody else.
    const failures = await Promise.all(this.#settings.map((one) => this.#openAtStart(one)));
    const failure = failures.find((one) => one !== null);
    if (failure === undefined) return;
    await this.close();
    throw failure;
  }

  /** Throws `not_found`, `locked`, or `backend_unavailable` before it is open and while it is tried again. */
  get(name: string): T {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#refuseClosed();
      if (!this.#settings.some((one) => one.name === name)) throw this.#notFound(name);
      throw new AgentError('backend_unavailable', `keyring ${name} is not open yet`);
    }
    if ('keyring' in entry) return entry.keyring;
    throw closedError(name, entry, this.#world.now());
  }

  /** Each with its entry; null before it was tried. */
  protected entries(): readonly { settings: S; entry: OpenEntry<T> | ClosedEntry | null }[] {
    return this.#settings.map((settings) => ({
      settings,
      entry: this.#entries.get(settings.name) ?? null,
    }));
  }

  /**
   * Opens a locked keyring with this PIN, which stays the caller's. A PIN that opens nothing is not kept, where
   * the token was away neither. Does nothing where the keyring is open: the PIN is not tried then. `again`: also
   * a PIN that the token has refused before.
   *
   * Rejects with `not_found`, `not_supported` (it has no PIN), `locked` (refused now or before), or as opening
   * it does; it is then as locked as it was.
   */
  async unlock(name: string, pin: Buffer, again: boolean): Promise<void> {
    const { settings, pins } = this.#lockable(name);
    await this.#turns.take(name, () => this.#unlock(settings, pins, pin, again));
  }

  /**
   * Forgets the keyring's PIN and lets go of its token, once the change under way is done. From then on it answers
   * `locked`, until `unlock` or, where the PIN is in a file, a restart. Rejects with `not_found`, `not_supported`.
   */
  async lock(name: string): Promise<void> {
    const { pins } = this.#lockable(name);
    await this.#turns.take(name, async () => {
      this.#refuseClosed();
      clearTimeout(this.#retries.get(name));
      const entry = this.#entries.get(name);
      const because = 'an operator locked it';
      pins.forget(because);
      this.#noteLocked(name, lockedError(name, because));
      if (entry !== undefined && 'keyring' in entry) await entry.keyring.close({ forget: true });
    });
  }

  /**
   * Does this while it is closed, with the PIN that it has, and opens it again as at a start, whatever came of it.
   * Rejects as `work` does, and with `not_found`.
   */
  async whileClosed(
    name: string,
    work: (settings: S, pins: PinGate | null) => Promise<void>,
  ): Promise<void> {
    const settings = this.#settings.find((one) => one.name === name);
    if (settings === undefined) throw this.#notFound(name);
    await this.#turns.take(name, async () => {
      this.#refuseClosed();
      clearTimeout(this.#retries.get(name));
      const entry = this.#entries.get(name);
      this.#entries.delete(name);
      try {
        if (entry !== undefined && 'keyring' in entry) await entry.keyring.close();
        await work(settings, this.#pins.of(name));
      } finally {
        await this.#openAtStart(settings);
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    // Some modules rewrite the token as they log in, and must not be cut off there.
    await this.#turns.idle();
    const entries = [...this.#entries.values()];
    await Promise.all(
      entries.flatMap((entry) => ('keyring' in entry ? [entry.keyring.close()] : [])),
    );
    this.#entries.clear();
    this.#pins.forgetAll('the agent stops');
  }

  /** Answers why the agent cannot start, null where it can. */
  async #openAtStart(settings: S): Promise<KeyringError | null> {
    try {
      this.#entries.set(settings.name, { keyring: await this.#openOne(settings) });
      return null;
    } catch (failure) {
      if (isLocked(failure)) this.#noteLocked(settings.name, failure);
      else if (settings.optional) this.#retryLater(settings, failure, firstRetry);
      else return new KeyringError(describeFailure(failure), { cause: failure });
      return null;
    }
  }

  async #unlock(settings: S, pins: KeyringPin, pin: Buffer, again: boolean): Promise<void> {
    const { name } = settings;
    this.#refuseClosed();
    const before = this.#entries.get(name);
    const open = before !== undefined && 'keyring' in before ? before.keyring : null;
    const outage = open?.health.outage ?? null;
    if (open !== null && outage?.kind !== 'locked') return;
    await pins.give(pin, again);
    try {
      if (open !== null && outage !== null) {
        this.#noteLocked(name, outage);
        await open.close();
      }
      this.#entries.set(name, { keyring: await this.#openOne(settings) });
    } catch (failure) {
      pins.withdraw();
      if (!isLocked(failure)) throw failure;
      const entry = this.#entries.get(name);
      // One that is tried again by itself goes on with the PIN that it has.
      const retried = entry !== undefined && 'retryAt' in entry && entry.retryAt !== null;
      if (!retried) this.#noteLocked(name, failure);
      throw asLocked(name, failure);
    }
  }

  /** Rejects with `shutting_down` where it has come too late. */
  async #openOne(settings: S): Promise<T> {
    const keyring = await this.#open(settings, this.#pins.of(settings.name));
    if (!this.#closed) return keyring;
    await keyring.close();
    throw shuttingDown();
  }

  #refuseClosed(): void {
    if (this.#closed) throw shuttingDown();
  }

  #lockable(name: string): { settings: S; pins: KeyringPin } {
    const settings = this.#settings.find((keyring) => keyring.name === name);
    if (settings === undefined) throw this.#notFound(name);
    return { settings, pins: this.#pins.required(settings) };
  }

  #notFound(name: string): AgentError {
    return new AgentError(
      'not_found',
      `there is no keyring ${quoted(name)}; there is: ${this.#settings.map((one) => one.name).join(', ')}`,
      { details: { keyring: name.slice(0, 80) } },
    );
  }

  #noteLocked(name: string, failure: { readonly message: string }): void {
    const locked = asLocked(name, failure);
    this.#world.log.warn({ keyring: name, reason: locked.message }, 'a keyring is locked');
    this.#entries.set(name, {
      failure: locked,
      at: formatTime(this.#world.now()),
      retryAt: null,
    });
  }

  #retryLater(settings: S, thrown: unknown, wait: number): void {
    const { name } = settings;
    const failure = asAgentError(thrown);
    const again = failure.kind === 'backend_unavailable'; // what is away may come back
    this.#world.log.error(
      { keyring: name, reason: failure.message, retry_after_ms: again ? wait : null },
      again
        ? `${this.#called} could not be opened, and is tried again`
        : `${this.#called} could not be opened, and is not tried again before a restart`,
    );
    const entry: ClosedEntry = {
      failure,
      at: formatTime(this.#world.now()),
      retryAt: again ? this.#world.now() + wait : null,
    };
    this.#entries.set(name, entry);
    if (!again) return;
    const retry = () => this.#turns.take(name, () => this.#retry(settings, entry, wait));
    this.#retries.set(
      name,
      setTimeout(() => void retry(), wait),
    );
  }

  async #retry(settings: S, entry: ClosedEntry, waited: number): Promise<void> {
    // Whoever had a turn before may have opened or locked it.
    if (this.#entries.get(settings.name) !== entry) return;
    try {
      this.#refuseClosed();
      this.#entries.set(settings.name, { keyring: await this.#openOne(settings) });
    } catch (failure) {
      if (this.#closed) return;
      // A PIN that was refused must not be tried again: tokens lock.
      if (isLocked(failure)) this.#noteLocked(settings.name, failure);
      else this.#retryLater(settings, failure, Math.min(waited * 2, longestRetry));
    }
  }
}

function shuttingDown(): AgentError {
  return new AgentError('shutting_down', 'the agent stops');
}
