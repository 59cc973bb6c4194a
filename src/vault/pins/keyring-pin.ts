import { createHmac, timingSafeEqual } from 'node:crypto';
import { AgentError, describeFailure } from '../../base/errors.ts';
import { lockedError, unlockCommand } from './locked.ts';
import { PinMemory, pinMemoryPath, type RememberedRefusal } from './pin-memory.ts';
import type { PinGate, PinRefusal } from '../pin-gate.ts';
import { readPin } from './read-pin.ts';
import type { PinPlace } from '../pin-place.ts';
import type { World } from '../../base/world.ts';

interface KeyringPinOptions extends PinPlace {
  readonly keyring: string;
  /** For systemd credentials. */
  readonly credentialsDirectory: string | null;
  readonly world: Pick<World, 'files' | 'now' | 'randomBytes' | 'log'>;
}

/** Logins in a row that may be cut off (a kill, a crash, a hang) before no further one is made by itself. */
const mostCutOff = 2;

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
  /** The gates of the other keyrings on the same device: a PIN that one of them saw refused is not tried for another. */
  sameDevice: readonly KeyringPin[] = [];
  /** Digest, under a key of this process, of the PIN that the token took last. */
  #good: Buffer | null = null;
  readonly #key: Buffer;
  /** An operator gave the PIN knowingly: what was cut off before does not count. */
  #afresh = false;
  readonly #options: KeyringPinOptions;
  readonly #memory: PinMemory;
  #source: Source = { from: 'file' };
  /** What a PIN that opens nothing is taken back to. */
  #before: Source = this.#source;

  constructor(options: KeyringPinOptions) {
    const { keyring, besidePath, device, world } = options;
    this.#options = options;
    this.#memory = new PinMemory(pinMemoryPath(besidePath, keyring), keyring, device, world);
    this.#key = world.randomBytes(32);
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
    this.#afresh = true;
    return copyOf(source.pin);
  }

  /** A PIN that the token took from this process before needs no writing down: each login would cost two. */
  async trying(pin: Buffer): Promise<void> {
    if (this.#isGood(pin)) return;
    const afresh = this.#afresh;
    this.#afresh = false;
    try {
      await this.#memory.begin(afresh);
    } catch (failure) {
      if (failure instanceof AgentError && failure.kind === 'locked') throw failure;
      throw new AgentError(
        'backend_unavailable',
        `keyring ${this.#options.keyring}: its PIN was not tried, since that could not be written down first: ` +
          describeFailure(failure),
        { cause: failure },
      );
    }
  }

  async accepted(pin: Buffer): Promise<void> {
    if (this.#isGood(pin)) return;
    this.#good = this.#digest(pin);
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

  async answered(pin: Buffer): Promise<void> {
    if (this.#isGood(pin)) return;
    try {
      await this.#memory.undo();
    } catch (failure) {
      // It counts as cut off then: an operator is asked sooner.
      this.#options.world.log.warn(
        { keyring: this.#options.keyring, reason: describeFailure(failure) },
        'the login was answered, but the record that it had begun could not be taken back',
      );
    }
  }

  /** Rejects with `locked` where it could not be written down; this process remembers it all the same. */
  async refused(pin: Buffer, refusal: PinRefusal): Promise<void> {
    const { keyring, world } = this.#options;
    this.#good = null;
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
    const { keyring, pinSource, sourceInWords, credentialsDirectory } = this.#options;
    const pin = readPin({ pinSource, keyring, credentialsDirectory });
    if (pin !== null) return pin;
    throw this.#locked(
      `it has no PIN yet (neither a ${sourceInWords} nor a systemd credential ${keyring}.pin)`,
    );
  }

  /** Answers the PIN where it may be tried, else wipes it and throws. */
  #checked(pin: Buffer): Buffer {
    try {
      const { closed, cutOff } = this.#memory;
      if (closed !== null) {
        throw this.#locked(
          `its token takes no PIN (${closed.reason}, ${closed.at}), so none is tried; see to the token, then`,
        );
      }
      if (cutOff !== null && cutOff.times >= mostCutOff && !this.#isGood(pin)) {
        throw this.#locked(
          `${cutOff.times} logins in a row were cut off, or failed in the token (the last on ${cutOff.at}), so nobody knows whether the ` +
            'token refused the PIN, and each attempt may count; see to the token, then',
        );
      }
      const known = this.#refusalOnDevice(pin);
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

  #refusalOnDevice(pin: Buffer): RememberedRefusal | null {
    for (const { memory } of [this, ...this.sameDevice]) {
      const known = memory.refusalNow(pin);
      if (known !== null) return known;
    }
    return null;
  }

  get memory(): Pick<PinMemory, 'refusalNow'> {
    return this.#memory;
  }

  #isGood(pin: Buffer): boolean {
    return this.#good !== null && timingSafeEqual(this.#good, this.#digest(pin));
  }

  #digest(pin: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(pin).digest();
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

/** Not from the shared pool, so that nothing of it is left there. */
function copyOf(pin: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(pin.length);
  pin.copy(copy);
  return copy;
}
