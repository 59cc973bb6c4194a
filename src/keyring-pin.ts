import type { KeyringSettings } from './config/settings.ts';
import { AgentError, describeFailure } from './errors.ts';
import { lockedError, unlockCommand } from './keyring/locked.ts';
import { PinMemory, pinMemoryPath } from './state/pin-memory.ts';
import type { PinGate, PinRefusal } from './vault/pin-gate.ts';
import { readPin } from './vault/pkcs11/pin.ts';
import type { World } from './world.ts';

interface KeyringPinOptions {
  readonly keyring: string;
  /** The URI's `pin-source`, or null. */
  readonly pinSource: string | null;
  /** For systemd credentials. */
  readonly credentialsDirectory: string | null;
  /** The memory of refused PINs stands beside it. */
  readonly sidecarPath: string;
  readonly world: Pick<World, 'files' | 'now' | 'randomBytes' | 'log'>;
}

/** Where the next PIN comes from. */
type Source =
  | { readonly from: 'file' }
  /** `permitted`: for one login, whatever is remembered. */
  | { readonly from: 'operator'; readonly pin: Buffer; readonly permitted: boolean }
  /** Until an operator gives one; `because` completes "the keyring is locked: ...". */
  | { readonly from: 'nobody'; readonly because: string };

/**
 * The PIN of one keyring for as long as the agent runs: from its file, read again at every login, or from an
 * operator, kept until it is locked, refused or replaced. A PIN that the token refused is never handed out
 * again, by a later agent neither, unless an operator says so.
 */
export class KeyringPin implements PinGate {
  readonly #options: KeyringPinOptions;
  readonly #memory: PinMemory;
  #source: Source = { from: 'file' };
  /** What a PIN that opens nothing is taken back to. */
  #before: Source = this.#source;

  constructor(options: KeyringPinOptions) {
    const { keyring, sidecarPath, world } = options;
    this.#options = options;
    this.#memory = new PinMemory(pinMemoryPath(sidecarPath, keyring), keyring, world);
  }

  /**
   * As PinGate. Besides, `locked` where the memory of refused PINs is broken, `backend_unavailable` where it may
   * not be trusted.
   */
  pin(): Buffer {
    const source = this.#source;
    if (source.from === 'nobody') throw this.#locked(source.because);
    if (source.from === 'file') return this.#checked(this.#readPin());
    if (!source.permitted) return this.#checked(copyOf(source.pin));
    this.#source = { ...source, permitted: false };
    return copyOf(source.pin);
  }

  async accepted(): Promise<void> {
    try {
      await this.#memory.forget();
    } catch (failure) {
      // The keyring is open: no reason to close it again.
      this.#options.world.log.warn(
        { keyring: this.#options.keyring, reason: describeFailure(failure) },
        'the PIN was right, but the record of PINs refused before could not be cleared',
      );
    }
  }

  /** Rejects with `locked` where it could not be written down; this process remembers it all the same. */
  async refused(pin: Buffer, refusal: PinRefusal): Promise<void> {
    const { keyring, world } = this.#options;
    if (this.#source.from === 'operator') {
      this.#wipe();
      this.#source = { from: 'nobody', because: `the token refused its PIN (${refusal.reason})` };
    }
    try {
      await this.#memory.remember(pin, refusal);
    } catch (failure) {
      throw this.#locked(
        `the token refused the PIN (${refusal.reason}), and as that could not be written down ` +
          `(${describeFailure(failure)}), an agent that is started again would try it again; see to both, then`,
        failure,
      );
    }
    world.log.error(
      { keyring, reason: refusal.reason, remembered: this.#memory.path },
      'the token refused the PIN: it is not tried again',
    );
  }

  /**
   * Takes an operator's PIN for the logins to come; `pin` stays the caller's. `again`: also one that the token
   * has refused before. Rejects with `locked` where it has and that was not said, or where the memory of refused
   * PINs is broken, and changes nothing then.
   */
  async give(pin: Buffer, again: boolean): Promise<void> {
    if (!again) {
      const known = await this.#memory.refusalOf(pin);
      if (known !== null) {
        throw new AgentError(
          'locked',
          `the token of keyring ${this.#options.keyring} refused this PIN on ${known.at} (${known.reason}), ` +
            'so it was not tried. If the token has this PIN by now, say so: ' +
            `${unlockCommand(this.#options.keyring)} --again`,
        );
      }
    }
    this.#wipe();
    this.#before =
      this.#source.from === 'operator'
        ? { from: 'nobody', because: 'it has no PIN any more' }
        : this.#source;
    this.#source = { from: 'operator', pin: copyOf(pin), permitted: true };
  }

  /** Takes back the PIN that was given last: it opened nothing. */
  withdraw(): void {
    this.#wipe();
    this.#source = this.#before;
  }

  /** Forgets the PIN and hands out none, not from the file either, until one is given. */
  forget(because: string): void {
    this.#wipe();
    this.#source = { from: 'nobody', because };
  }

  #wipe(): void {
    if (this.#source.from === 'operator') this.#source.pin.fill(0);
  }

  #readPin(): Buffer {
    const { keyring, pinSource, credentialsDirectory } = this.#options;
    const pin = readPin({ pinSource, keyring, credentialsDirectory });
    if (pin !== null) return pin;
    throw this.#locked(
      'it has no PIN yet (neither a pin-source=file:PATH in its uri nor a systemd credential ' +
        `${keyring}.pin)`,
    );
  }

  /** Answers the PIN where it may be tried, else wipes it and throws. */
  #checked(pin: Buffer): Buffer {
    try {
      const { closed } = this.#memory;
      if (closed !== null) {
        throw this.#locked(
          `its token takes no PIN (${closed.reason}, ${closed.at}), so none is tried; see to the token, then`,
        );
      }
      const known = this.#memory.refusalNow(pin);
      if (known === null) return pin;
      throw this.#locked(
        `the token refused the PIN ${this.#origin()} on ${known.at} (${known.reason}), so it is not tried ` +
          'again; correct it there and start the agent again, or',
      );
    } catch (failure) {
      pin.fill(0);
      throw failure;
    }
  }

  #origin(): string {
    const { keyring, pinSource } = this.#options;
    if (this.#source.from === 'operator') return 'that it was unlocked with';
    return pinSource === null ? `in the credential ${keyring}.pin` : `in ${pinSource}`;
  }

  #locked(because: string, cause?: unknown): AgentError {
    return lockedError(this.#options.keyring, because, cause);
  }
}

/** Of a keyring in a token; null for one that has no PIN. */
export function keyringPin(
  settings: KeyringSettings,
  credentialsDirectory: string | null,
  world: KeyringPinOptions['world'],
): KeyringPin | null {
  if (settings.backend === 'file') return null;
  const { name: keyring, uri, sidecarPath } = settings;
  const { pinSource } = uri;
  return new KeyringPin({ keyring, pinSource, credentialsDirectory, sidecarPath, world });
}

/** Not from the shared pool, so that nothing of it is left there. */
function copyOf(pin: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(pin.length);
  pin.copy(copy);
  return copy;
}
