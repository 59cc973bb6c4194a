/** Where the PIN of a device comes from, as it is configured. */
export interface PinPlace {
  /** Absolute path of the file that holds it; null: a systemd credential, or an operator. */
  readonly pinSource: string | null;
  /** How that file would be named, for people: completes "neither a ". */
  readonly sourceInWords: string;
  /** The device, as one text: what another one said of a PIN says nothing of this one. */
  readonly device: string;
  /** What is remembered of refused PINs stands beside this path. */
  readonly besidePath: string;
}
