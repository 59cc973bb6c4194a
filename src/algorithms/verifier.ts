/** One public key, checked once, to verify many signatures with. */
export interface Verifier {
  /** Strict verification, contract section 4. False for anything malformed; never throws. Takes up to 0.1 ms. */
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
  /** As `verify`, in libuv's thread pool: the caller's thread is held for some microseconds. Never rejects. */
  readonly verifyInPool: (message: Uint8Array, signature: Uint8Array) => Promise<boolean>;
}
