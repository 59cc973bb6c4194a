import type { Protection } from '../../api/signing-backend.ts';
import type { ForeignKey, VaultKey } from '../vault.ts';
import type { TpmConnection } from './connection.ts';
import { keyFor } from './envelope.ts';
import type { Protection as SealProtection } from './stored/key-file.ts';
import type { KeyFolder } from './stored/key-folder.ts';
import type { TpmWorld } from './tpm-world.ts';

/** What an algorithm's keys are like in a TPM. */
export interface KeyForm {
  /** Where the TPM is no emulator. */
  readonly protection: Protection;
  /** Makes a key, has it sign, and keeps it: durable when it resolves. */
  make(objectId: string): Promise<VaultKey>;
  /** As Vault.importKey. */
  readonly importKey: ((objectId: string, key: ForeignKey) => Promise<VaultKey>) | string;
  has(objectId: string): boolean;
  objectIds(): readonly string[];
  /** As its file says. Throws `backend_unavailable` where that is missing or broken. */
  publicKey(objectId: string): Uint8Array;
  /** A key that was not used since the start is proved first: read back, and the other half of its public key. */
  sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array>;
  remove(objectId: string): Promise<void>;
  /** As Vault.attest. */
  attest(key: VaultKey, nonce: Uint8Array): Promise<Readonly<Record<string, unknown>>>;
  evidence(objectId: string): Readonly<Record<string, unknown>>;
  /** Forgets what is secret. */
  wipe(): void;
}

/** What the keys of one keyring have in common: its folder, its TPM, and its key, which the TPM has sealed. */
export class TpmKeyring {
  readonly name: string;
  readonly folder: KeyFolder;
  readonly world: TpmWorld;
  /** How its key is sealed. */
  readonly protection: SealProtection;
  readonly use: <T>(doing: string, work: (connection: TpmConnection) => Promise<T>) => Promise<T>;
  readonly #key: Buffer;

  /** `key`: 32 bytes, which `wipe` wipes. */
  constructor(options: {
    readonly name: string;
    readonly folder: KeyFolder;
    readonly world: TpmWorld;
    readonly protection: SealProtection;
    readonly use: TpmKeyring['use'];
    readonly key: Buffer;
  }) {
    this.name = options.name;
    this.folder = options.folder;
    this.world = options.world;
    this.protection = options.protection;
    this.use = options.use;
    this.#key = options.key;
  }

  /** `work` with the key that seeds are under. */
  withSeedKey<T>(work: (key: Buffer) => T): T {
    const key = keyFor(this.#key, 'seeds');
    try {
      return work(key);
    } finally {
      key.fill(0);
    }
  }

  /**
   * The authorisation value of a new key: empty, so that other programs can use its file, unless registers or a PIN
   * are demanded. Then it is a secret that whoever has opened the sealed key knows: what the key is sealed to can
   * change, and what a TPM's key demands cannot.
   */
  keyAuth(): Buffer {
    const { pcrs, pin } = this.protection;
    return pcrs.length === 0 && !pin ? Buffer.alloc(0) : this.secretAuth();
  }

  secretAuth(): Buffer {
    return keyFor(this.#key, 'key authorization');
  }

  /** The key itself, for what else is derived from it; stays this keyring's. */
  get keyEncryptionKey(): Uint8Array {
    return this.#key;
  }

  wipe(): void {
    this.#key.fill(0);
  }
}
