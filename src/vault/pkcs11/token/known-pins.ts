import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Which PIN this process logged in to each token with. A token says nothing about the PIN of whoever comes second:
 * CKR_USER_ALREADY_LOGGED_IN is the answer to every PIN, and must not open a keyring to a wrong one.
 */
export class KnownPins {
  readonly #key: Buffer;
  readonly #digests = new Map<string, Buffer>();

  /** `key`: 32 random bytes, of this process alone. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** The token took this PIN. `token`: see tokenKey. */
  remember(token: string, pin: Buffer): void {
    this.#digests.set(token, this.#digest(pin));
  }

  /** False where the token took another one; true where none is known. */
  mayBe(token: string, pin: Buffer): boolean {
    const known = this.#digests.get(token);
    return known === undefined || timingSafeEqual(known, this.#digest(pin));
  }

  #digest(pin: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(pin).digest();
  }
}
