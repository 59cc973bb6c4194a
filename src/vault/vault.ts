import type { BackendName, Protection } from '../api/signing-backend.ts';
import type { AgentError } from '../base/errors.ts';
import type { Algorithm } from '../algorithms/algorithm.ts';

/** Where private keys live. A vault knows nothing of active, grace or revoked: that is the keyring's. */
export interface Vault {
  readonly name: BackendName;
  readonly algorithm: Algorithm;
  /** What the device says of itself and of its keys, never what the configuration says. */
  readonly protection: Protection;

  /**
   * An object id for the next key, so that the intent can be journalled before the key exists. null where
   * keys come and go with the saved state itself (the keystore file): then there is nothing to journal, and
   * `destroy` is not called.
   */
  readonly reserve: (() => string) | null;

  /**
   * Makes a key under the reserved object id (null where nothing is reserved) and proves it: its attributes were read back and found right, and it
   * made a signature that verified. A key that fails this is destroyed before the error is thrown.
   */
  generate(objectId: string | null): Promise<VaultKey>;

  /**
   * Takes over a key that another program made in the same device, under the reserved object id, and proves it as
   * `generate` does. What it came from stays as it is. A text where the vault takes none: it completes "a key cannot be
   * imported: ".
   *
   * Rejects with `invalid_params` for what is no such key of this device, or a wrong password, and `not_supported` for
   * one that the device protects less than its own.
   */
  readonly importKey: ((objectId: string | null, key: ForeignKey) => Promise<VaultKey>) | string;

  /**
   * Signs a message: 64 raw bytes. `not_supported` or `too_large` where the module cannot sign it,
   * `backend_unavailable` where the token or the key is gone.
   */
  sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array>;

  /**
   * Removes the key for good; done too where it is gone already. Where `publicKey` is given and the key under that
   * id has another one, nothing is removed: `conflict`.
   */
  destroy(objectId: string, publicKey?: Uint8Array | null): Promise<void>;

  /** Every object that is this keyring's (by its label, for a token), half-made ones included. */
  list(): Promise<readonly VaultObject[]>;

  /** The token's own attributes of the private key, by name; null where there is no token. */
  evidence(key: VaultKey): Promise<Readonly<Record<string, unknown>> | null>;

  /**
   * What the device itself says of the key, signed by it over `nonce` (8 to 32 bytes), as a document that can be
   * checked without it. `not_supported` where the device says nothing of the kind.
   */
  attest(key: VaultKey, nonce: Uint8Array): Promise<Readonly<Record<string, unknown>>>;

  /** Why nothing can be had from it at present; null where nothing is known against it. */
  readonly outage: AgentError | null;

  /**
   * Why what it answers is not to be trusted, though it answers: it has made signatures that do not verify, none of which
   * left. Stays for as long as the vault does; null where nothing of the kind was seen.
   */
  readonly flaw: AgentError | null;

  /** Goes up each time that it is opened again by itself: what failed before says nothing about it any more. */
  readonly openings: number;

  /** A place of its own for the seal of the key records; null where the records are the vault's own. */
  readonly sealStore: SealStore | null;

  /** Lets go of the token or the file. The vault is not used afterwards. */
  close(options?: CloseOptions): Promise<void>;
}

export interface VaultKey {
  /** CKA_ID in lowercase hex; the kid where the vault has no ids of its own. */
  readonly objectId: string;
  readonly publicKey: Uint8Array;
}

/** A key of the device, as the program that made it gave it out. */
export interface ForeignKey {
  /** What is in its file. */
  readonly file: string;
  /** UTF-8; null where the key asks for none. Wiped before the work settles. */
  readonly password: Buffer | null;
}

export interface VaultObject {
  readonly objectId: string;
  /** null where the private key stands without a readable public one. */
  readonly publicKey: Uint8Array | null;
  /** False where the private half is missing. */
  readonly hasPrivateKey: boolean;
}

export interface CloseOptions {
  /** No process keeps the login or the PIN, whoever shares them. */
  readonly forget?: boolean;
}

/** What proves, kept where the keys are, that key records are the newest ones of this keyring. */
export interface Seal {
  /** 32 random bytes, the key of the records' MAC. */
  readonly key: Uint8Array;
  /** Of the newest records; 0 before any were sealed. */
  readonly counter: number;
}

/** A private data object in the token. */
export interface SealStore {
  /** null where there is none yet. The highest counter, where a kill has left several. */
  read(): Promise<Seal | null>;
  /**
   * Puts the seal in the place of the one before; durable when it resolves. Killed on the way, either is there.
   * `not_supported` where the token cannot keep one.
   */
  write(seal: Seal): Promise<void>;
}
