import { noAttestation } from '../../src/vault/no-attestation.ts';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { AgentError } from '../../src/base/errors.ts';
import type { KeyringState } from '../../src/vault/key-records.ts';
import type { StateStore, Versioned } from '../../src/vault/state-store.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import type { Vault, VaultKey, VaultObject } from '../../src/vault/vault.ts';

/** A token in memory. What `fails` names answers with `failure` until it is taken away. */
export class MemoryVault implements Vault {
  readonly name = 'pkcs11';
  readonly algorithm = algorithms.ed25519;
  readonly protection = 'software';
  readonly sealStore = null;
  readonly openings = 0;
  flaw: AgentError | null = null;
  outage: AgentError | null = null;
  failure: AgentError | null = null;
  fails: 'generate' | 'sign' | null = null;
  readonly calls = { generate: 0, sign: 0 };
  readonly #keys = new Map<string, KeyObject>();
  #made = 0;

  readonly reserve = (): string => {
    this.#made += 1;
    return this.#made.toString(16).padStart(8, '0');
  };

  async generate(objectId: string | null): Promise<VaultKey> {
    this.calls.generate += 1;
    await this.#answer('generate');
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const id = objectId ?? this.reserve();
    this.#keys.set(id, privateKey);
    return { objectId: id, publicKey: rawOf(publicKey) };
  }

  async sign({ objectId }: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    this.calls.sign += 1;
    await this.#answer('sign');
    const key = this.#keys.get(objectId);
    if (key === undefined) throw new AgentError('backend_unavailable', `no key ${objectId}`);
    return sign(null, message, key);
  }

  async destroy(objectId: string): Promise<void> {
    await Promise.resolve();
    this.#keys.delete(objectId);
  }

  async list(): Promise<readonly VaultObject[]> {
    await Promise.resolve();
    return [...this.#keys].map(([objectId, key]) => {
      const { x = '' } = key.export({ format: 'jwk' });
      return { objectId, publicKey: Buffer.from(x, 'base64url'), hasPrivateKey: true };
    });
  }

  async evidence(): Promise<null> {
    return Promise.resolve(null);
  }

  readonly importKey = 'it is in memory alone';

  attest(): Promise<never> {
    return noAttestation('it is in memory, and nothing vouches for that');
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  async #answer(call: 'generate' | 'sign'): Promise<void> {
    await Promise.resolve();
    if (this.fails === call && this.failure !== null) throw this.failure;
  }
}

function rawOf(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}

/** Key records in memory; several keyrings may have them open, as agents on one database. */
export class MemoryStore implements StateStore {
  readonly location = 'memory';
  readonly rollbackProtection = 'none';
  saves = 0;
  failure: AgentError | null = null;
  /** Called before a save, so that somebody else can be faster. */
  beforeSave: (() => void) | null = null;
  #current: Versioned | null = null;

  async open(): Promise<{ provedNewest: boolean }> {
    return Promise.resolve({ provedNewest: false });
  }

  async seal(): Promise<void> {
    await Promise.resolve();
  }

  current(): Versioned | null {
    return this.#current;
  }

  get state(): KeyringState {
    if (this.#current === null) throw new Error('nothing was saved');
    return this.#current.state;
  }

  /** As another program would. */
  put(state: KeyringState): void {
    this.saves += 1;
    this.#current = { state, version: String(this.saves) };
  }

  async save(state: KeyringState, expected: string | null): Promise<Versioned> {
    await Promise.resolve();
    this.beforeSave?.();
    if (this.failure !== null) throw this.failure;
    if ((this.#current?.version ?? null) !== expected) {
      throw new AgentError('conflict', 'somebody else saved');
    }
    this.put(state);
    return { state, version: String(this.saves) };
  }
}
