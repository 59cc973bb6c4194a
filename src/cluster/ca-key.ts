import { AgentError } from '../base/errors.ts';
import { KeyringHealth } from '../keyring/health.ts';
import type { BackendName, Protection } from '../api/signing-backend.ts';
import type { CloseOptions, Vault, VaultKey } from '../vault/vault.ts';
import type { World } from '../base/world.ts';
import type { CaIdentity } from './ca-records.ts';

/** The CA's key, open and proved. Nothing outside `src/cluster` has it sign, and what it signs are certificates. */
export class CaKey implements CaIdentity {
  readonly kid: string;
  readonly publicKey: Uint8Array;
  readonly createdAt: string;
  readonly health: KeyringHealth;
  readonly #vault: Vault;
  readonly #key: VaultKey;

  /** Opened by `openCaKey`. */
  constructor(
    { kid, publicKey, createdAt }: CaIdentity,
    vault: Vault,
    objectId: string,
    world: Pick<World, 'now' | 'log'>,
  ) {
    this.kid = kid;
    this.publicKey = publicKey;
    this.createdAt = createdAt;
    this.health = new KeyringHealth(vault, world.now, world.log.child({ ca_kid: kid }));
    this.#vault = vault;
    this.#key = { objectId, publicKey };
  }

  get backend(): BackendName {
    return this.#vault.name;
  }

  get protection(): Protection {
    return this.#vault.protection;
  }

  /** 64 raw bytes that verify against `publicKey`. Rejects as Vault.sign. */
  async sign(message: Uint8Array): Promise<Uint8Array> {
    try {
      const signature = await this.#sign(message);
      this.health.answered();
      return signature;
    } catch (failure) {
      this.health.failed(failure);
      throw failure;
    }
  }

  close(options?: CloseOptions): Promise<void> {
    return this.#vault.close(options);
  }

  async #sign(message: Uint8Array): Promise<Uint8Array> {
    const signature = await this.#vault.sign(this.#key, message);
    if (this.#vault.algorithm.verify(message, signature, this.publicKey)) return signature;
    throw new AgentError(
      'backend_unavailable',
      `a signature of the cluster CA ${this.kid} does not verify against its public key`,
    );
  }
}
