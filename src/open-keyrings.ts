import { AgentError, describeFailure, quoted } from './errors.ts';
import type { KeyringSettings } from './config/settings.ts';
import type { Keyring } from './keyring/keyring.ts';
import type { KeyringStatus } from './protocol/status.ts';
import { formatTime } from './rfc3339.ts';
import type { World } from './world.ts';

/** First and longest wait before an optional keyring whose token is away is tried again, milliseconds. */
const firstRetry = 1000;
const longestRetry = 30_000;

type Slot =
  | { readonly keyring: Keyring }
  /** `retryAt` null: it is not tried again. */
  | { readonly failure: AgentError; readonly at: string; readonly retryAt: number | null };

/** A keyring could not be opened and is not optional. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError';
}

/** The keyrings of the configuration: open ones, and optional ones that are still tried. */
export class OpenKeyrings {
  readonly #settings: readonly KeyringSettings[];
  readonly #open: (settings: KeyringSettings) => Promise<Keyring>;
  readonly #world: World;
  readonly #slots = new Map<string, Slot>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(
    settings: readonly KeyringSettings[],
    open: (settings: KeyringSettings) => Promise<Keyring>,
    world: World,
  ) {
    this.#settings = settings;
    this.#open = open;
    this.#world = world;
  }

  /** Opens every keyring. Throws KeyringError, with those that were opened closed again. */
  async open(): Promise<void> {
    for (const settings of this.#settings) {
      try {
        this.#slots.set(settings.name, { keyring: await this.#open(settings) });
      } catch (failure) {
        if (!settings.optional) {
          await this.close();
          throw new KeyringError(describeFailure(failure), { cause: failure });
        }
        this.#retryLater(settings, failure, firstRetry);
      }
    }
  }

  /** Throws `not_found`, or `backend_unavailable` while the keyring is tried again. */
  get(name: string): Keyring {
    const slot = this.#slots.get(name);
    if (slot === undefined) {
      throw new AgentError(
        'not_found',
        `there is no keyring ${quoted(name)}; there is: ${[...this.#slots.keys()].join(', ')}`,
        { details: { keyring: name.slice(0, 80) } },
      );
    }
    if ('keyring' in slot) return slot.keyring;
    const { failure, retryAt } = slot;
    const details =
      retryAt === null ? {} : { retry_after_ms: Math.max(0, retryAt - this.#world.now()) };
    throw new AgentError(failure.kind, `keyring ${name} is not open: ${failure.message}`, {
      details,
    });
  }

  status(): readonly KeyringStatus[] {
    return this.#settings.map((settings) => this.#statusOf(settings));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    for (const slot of this.#slots.values()) {
      if ('keyring' in slot) await slot.keyring.close();
    }
    this.#slots.clear();
  }

  #statusOf({ name, backend, ...settings }: KeyringSettings): KeyringStatus {
    const algorithm = 'algorithm' in settings ? settings.algorithm : 'ed25519';
    const base = { name, backend, algorithm, next_rotation: null };
    const closed = { ...base, protection: null, active_kid: null, key_counts: null };
    const slot = this.#slots.get(name);
    if (slot === undefined) return { ...closed, health: 'unavailable', last_error: null };
    if (!('keyring' in slot)) {
      return { ...closed, health: 'unavailable', last_error: described(slot.failure, slot.at) };
    }
    const { keyring } = slot;
    const { failing, lastFailure } = keyring.health;
    const { protection } = keyring.description;
    try {
      return {
        ...base,
        protection,
        active_kid: keyring.activeKid(),
        key_counts: keyring.keyCounts(),
        health: failing ? 'unavailable' : 'ok',
        last_error: lastFailure,
      };
    } catch (failure) {
      return {
        ...closed,
        protection,
        health: 'unavailable',
        last_error: described(asAgentError(failure), formatTime(this.#world.now())),
      };
    }
  }

  #retryLater(settings: KeyringSettings, thrown: unknown, wait: number): void {
    const failure = asAgentError(thrown);
    // What is away may come back. A PIN that was refused must not be tried again: tokens lock.
    const again = failure.kind === 'backend_unavailable';
    this.#world.log.error(
      { keyring: settings.name, reason: failure.message, retry_after_ms: again ? wait : null },
      again
        ? 'an optional keyring could not be opened, and is tried again'
        : 'an optional keyring could not be opened, and is not tried again before a restart',
    );
    this.#slots.set(settings.name, {
      failure,
      at: formatTime(this.#world.now()),
      retryAt: again ? this.#world.now() + wait : null,
    });
    if (!again) return;
    const timer = setTimeout(() => void this.#retry(settings, wait), wait);
    this.#retries.set(settings.name, timer);
  }

  async #retry(settings: KeyringSettings, waited: number): Promise<void> {
    try {
      const keyring = await this.#open(settings);
      if (this.#closed) await keyring.close();
      else this.#slots.set(settings.name, { keyring });
    } catch (failure) {
      if (!this.#closed) {
        this.#retryLater(settings, failure, Math.min(waited * 2, longestRetry));
      }
    }
  }
}

function asAgentError(thrown: unknown): AgentError {
  if (thrown instanceof AgentError) return thrown;
  return new AgentError('internal', describeFailure(thrown), { cause: thrown });
}

function described({ kind, message }: AgentError, at: string): KeyringStatus['last_error'] {
  return { kind, message, at };
}
