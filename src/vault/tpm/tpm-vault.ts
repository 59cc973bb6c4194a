import type { Protection } from '../../api/signing-backend.ts';
import { AgentError, describeFailure } from '../../base/errors.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import { newObjectId, objectIdRandomLength } from '../object-id.ts';
import type { ServedVault } from '../hosted.ts';
import type { SealStore, Vault, VaultKey, VaultObject } from '../vault.ts';
import type { KeyForm, TpmKeyring } from './tpm-keyring.ts';
import type { TpmFacts } from './tpm-facts.ts';

/** What a vault is made of; `openTpmVault` puts it together. */
export interface TpmVaultParts {
  readonly keyring: TpmKeyring;
  readonly form: KeyForm;
  readonly facts: TpmFacts;
  readonly algorithm: Algorithm;
  readonly sealStore: SealStore;
  /** Lets go of the TPM. */
  readonly release: () => Promise<void>;
}

const idForm = /^[0-9a-f]{32}$/;

/** The keys of one keyring that only one TPM can use. What is not under that keyring is not looked at. */
export class TpmVault implements ServedVault {
  readonly name = 'tpm';
  readonly outage = null;
  readonly openings = 0;
  readonly flaw = null;
  readonly ids = 'time';
  readonly takenIds = [];
  readonly worn = false;
  readonly lending = null;
  readonly algorithm: Algorithm;
  readonly protection: Protection;
  readonly sealStore: SealStore;
  readonly importKey: Vault['importKey'];
  readonly #parts: TpmVaultParts;
  #closing: Promise<void> | null = null;

  constructor(parts: TpmVaultParts) {
    this.#parts = parts;
    this.algorithm = parts.algorithm;
    this.sealStore = parts.sealStore;
    const { importKey } = parts.form;
    this.importKey =
      typeof importKey === 'string'
        ? importKey
        : (objectId, key) => this.#keep(objectId, (id) => importKey(id, key));
    this.protection = parts.facts.emulator === null ? parts.form.protection : 'software';
  }

  readonly reserve = (): string => {
    const { now, randomBytes } = this.#parts.keyring.world;
    return newObjectId(now(), randomBytes(objectIdRandomLength));
  };

  generate(objectId: string | null): Promise<VaultKey> {
    return this.#keep(objectId, (id) => this.#parts.form.make(id));
  }

  /** Of what `make` leaves behind where it fails nothing stays. */
  async #keep(objectId: string | null, make: (id: string) => Promise<VaultKey>): Promise<VaultKey> {
    const id = checked(objectId ?? this.reserve());
    const { form } = this.#parts;
    if (form.has(id)) {
      throw new AgentError('already_exists', `the keyring has a key ${id} already`);
    }
    try {
      return await make(id);
    } catch (failure) {
      await this.#removeLeftovers(id);
      throw failure;
    }
  }

  async sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    checked(key.objectId);
    return this.#parts.form.sign(key, message);
  }

  /** Nothing of it waits on this thread but what the TPM does. */
  signAlone(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    return this.sign(key, message);
  }

  async adopt(objectId: string): Promise<VaultKey | null> {
    const { form, keyring } = this.#parts;
    if (!form.has(checked(objectId))) return null;
    const key = { objectId, publicKey: form.publicKey(objectId) };
    // The first signature proves it.
    await form.sign(key, keyring.world.randomBytes(32));
    return key;
  }

  /** A TPM knows no login; a session that is lost is made again by whoever needs it. */
  logInAgain(): void {
    return undefined;
  }

  async destroy(objectId: string, publicKey: Uint8Array | null = null): Promise<void> {
    const { form } = this.#parts;
    // Another name was never given to a key here, and must not become the path of something else.
    if (!idForm.test(objectId)) return;
    if (
      publicKey !== null &&
      form.has(objectId) &&
      Buffer.compare(form.publicKey(objectId), publicKey) !== 0
    ) {
      throw new AgentError(
        'conflict',
        `the key ${objectId} has another public key than the records have for it: nothing was removed`,
      );
    }
    await form.remove(objectId);
  }

  list(): Promise<readonly VaultObject[]> {
    const { form } = this.#parts;
    const ids = form.objectIds().filter((id) => idForm.test(id));
    return Promise.resolve(
      ids.map((objectId) => ({
        objectId,
        publicKey: form.publicKey(objectId),
        hasPrivateKey: true,
      })),
    );
  }

  async attest(key: VaultKey, nonce: Uint8Array): Promise<Readonly<Record<string, unknown>>> {
    checked(key.objectId);
    return this.#parts.form.attest(key, nonce);
  }

  evidence({ objectId }: VaultKey): Promise<Readonly<Record<string, unknown>>> {
    const { form, facts } = this.#parts;
    const { manufacturer, vendorString, firmware, emulator } = facts;
    return Promise.resolve({
      ...form.evidence(checked(objectId)),
      tpm: `${manufacturer} ${vendorString}`.trim(),
      tpm_firmware: firmware,
      tpm_is_emulated: emulator !== null,
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { form, keyring, release } = this.#parts;
    await release();
    form.wipe();
    keyring.wipe();
  }

  async #removeLeftovers(objectId: string): Promise<void> {
    const { form, keyring } = this.#parts;
    try {
      await form.remove(objectId);
    } catch (failure) {
      // The first failure is the one to report; this key is found again by its name.
      keyring.world.log.error(
        { object_id: objectId, reason: describeFailure(failure) },
        'the file of a key that could not be made may be left',
      );
    }
  }
}

function checked(objectId: string): string {
  if (idForm.test(objectId)) return objectId;
  throw new AgentError('invalid_params', 'an object id is 32 digits of lowercase hex');
}
