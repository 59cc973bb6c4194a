/** Where the PIN of a keyring's token comes from, each time that a process has to log in. */
export interface PinGate {
  /**
   * The PIN for one login, in a Buffer of the caller's, who wipes it. Throws `locked` where there is none that
   * may be tried, `backend_unavailable` where its file cannot be read.
   */
  pin(): Buffer;

  /**
   * A login with it is about to be made: written down first, so that one that is cut off counts. Durable when it
   * resolves; where it rejects the PIN must not be tried.
   */
  trying(pin: Buffer): Promise<void>;

  /** The token took it. */
  accepted(pin: Buffer): Promise<void>;

  /** There was an answer, and it does not refuse the PIN (there is no token, for one): nothing was cut off. */
  answered(pin: Buffer): Promise<void>;

  /** The token refused it: it is not tried again by itself, not by another process either. Durable when it resolves. */
  refused(pin: Buffer, refusal: PinRefusal): Promise<void>;
}

export interface PinRefusal {
  /** `incorrect`: this PIN is wrong. `closed`: the token takes none (locked, expired, none set). */
  readonly kind: 'incorrect' | 'closed';
  /** For people, such as CKR_PIN_INCORRECT. */
  readonly reason: string;
}
