import { sign as signMessage, type KeyObject } from 'node:crypto';
import * as z from 'zod';
import { AgentError, describeFailure } from '../../base/errors.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import { kidOf } from '../../algorithms/kid.ts';
import { privateKeyOf, publicHalfOf } from '../file/seed.ts';
import { SignatureQueue } from '../file/signature-queue.ts';
import type { VaultKey } from '../vault.ts';
import { envelopeNonceLength, openEnvelope, sealEnvelope } from './envelope.ts';
import { noAttestation } from '../no-attestation.ts';
import { noSeedImport } from './place.ts';
import type { KeyForm, TpmKeyring } from './tpm-keyring.ts';

const ending = '.seed.json';
const seedLength = 32;

/** `OBJECTID.seed.json` */
const document = z.strictObject({
  version: z.literal(1),
  kid: z.string(),
  public_key_b64: z.base64url(),
  /** AES-256-GCM: nonce, ciphertext, tag. */
  sealed_b64: z.base64url(),
});

interface SeedFile {
  readonly publicKey: Buffer;
  readonly sealed: Buffer;
}

/**
 * Ed25519 keys, which no TPM makes: seeds of this program's making, under a key that the TPM has sealed. At rest they
 * need the TPM; in use they are in the memory of this process.
 */
export class WrappedSeeds implements KeyForm {
  readonly protection = 'hardware-wrapped';
  readonly #keyring: TpmKeyring;
  readonly #algorithm: Algorithm;
  /** By object id. */
  readonly #opened = new Map<string, { key: KeyObject; publicKey: Uint8Array }>();
  readonly #queue = new SignatureQueue((key: KeyObject, message, done) => {
    if (done === null) return signMessage(null, message, key);
    signMessage(null, message, key, done);
    return null;
  });

  constructor(keyring: TpmKeyring, algorithm: Algorithm) {
    this.#keyring = keyring;
    this.#algorithm = algorithm;
  }

  async make(objectId: string): Promise<VaultKey> {
    const { folder, world } = this.#keyring;
    const seed = world.randomBytes(seedLength);
    try {
      const publicKey = publicHalfOf(privateKeyOf(seed));
      const key = { objectId, publicKey };
      const sealed = this.#keyring.withSeedKey((wrapping) =>
        sealEnvelope(wrapping, world.randomBytes(envelopeNonceLength), this.#associated(key), seed),
      );
      const content: z.input<typeof document> = {
        version: 1,
        kid: kidOf(publicKey),
        public_key_b64: Buffer.from(publicKey).toString('base64url'),
        sealed_b64: sealed.toString('base64url'),
      };
      const bytes = Buffer.from(`${JSON.stringify(content)}\n`);
      // What will be read back, and not what was meant, has to sign.
      const opened = this.#open(objectId, parseSeed(bytes));
      const message = world.randomBytes(32);
      if (!this.#algorithm.verify(message, signMessage(null, message, opened), publicKey)) {
        throw new AgentError('backend_unavailable', 'a signature of a new key does not verify');
      }
      world.testPoint('tpm/key-made');
      await folder.create(`${objectId}${ending}`, bytes);
      this.#opened.set(objectId, { key: opened, publicKey });
      return key;
    } finally {
      seed.fill(0);
    }
  }

  readonly importKey = noSeedImport;

  has(objectId: string): boolean {
    return this.#keyring.folder.names().includes(`${objectId}${ending}`);
  }

  objectIds(): readonly string[] {
    const names = this.#keyring.folder.names();
    return names
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length));
  }

  publicKey(objectId: string): Uint8Array {
    return this.#file(objectId).publicKey;
  }

  async sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    const opened = this.#opened.get(key.objectId);
    if (opened !== undefined && Buffer.compare(opened.publicKey, key.publicKey) === 0) {
      return this.#queue.sign(opened.key, message);
    }
    const file = this.#file(key.objectId);
    if (!file.publicKey.equals(key.publicKey)) {
      throw new AgentError(
        'backend_unavailable',
        `${this.#path(key.objectId)} is of another public key than the records have for it`,
      );
    }
    const privateKey = this.#open(key.objectId, file);
    this.#opened.set(key.objectId, { key: privateKey, publicKey: file.publicKey });
    return this.#queue.sign(privateKey, message);
  }

  async remove(objectId: string): Promise<void> {
    this.#opened.delete(objectId);
    await this.#keyring.folder.remove(`${objectId}${ending}`);
  }

  /** A TPM can say that it has sealed a key, and nothing of what this program put under it. */
  attest(): Promise<never> {
    return noAttestation(
      'an Ed25519 seed is made by this program and put under a key that the TPM sealed. What the TPM could sign is ' +
        'that it keeps that sealed key; it proves neither that the seed was ever under it nor that no copy is ' +
        'elsewhere. A key with algorithm = "es256" is made in the TPM, and can be attested',
    );
  }

  evidence(objectId: string): Readonly<Record<string, unknown>> {
    this.#file(objectId);
    const { pcrs, pin } = this.#keyring.protection;
    return {
      made: 'outside of the TPM, which has no Ed25519',
      at_rest: 'under a key that the TPM has sealed',
      in_use: 'in memory',
      sealed_to_pcrs: pcrs,
      sealed_with_pin: pin,
    };
  }

  wipe(): void {
    this.#opened.clear();
  }

  /** The seed's public key is derived anew and compared. */
  #open(objectId: string, { publicKey, sealed }: SeedFile): KeyObject {
    const seed = this.#keyring.withSeedKey((wrapping) =>
      openEnvelope(wrapping, this.#associated({ objectId, publicKey }), sealed),
    );
    if (seed === null) {
      throw new AgentError(
        'backend_unavailable',
        `${this.#path(objectId)} was altered, or is of another keyring: put it back from a copy`,
      );
    }
    try {
      const key = privateKeyOf(seed);
      if (Buffer.compare(publicHalfOf(key), publicKey) === 0) return key;
      throw new AgentError(
        'backend_unavailable',
        `${this.#path(objectId)} has the seed of another public key`,
      );
    } finally {
      seed.fill(0);
    }
  }

  /** What a seed is bound to: the keyring, its own id, its kid and its public key. */
  #associated({ objectId, publicKey }: VaultKey): Buffer {
    const text = ['signing-agent tpm seed 1', this.#keyring.name, objectId, kidOf(publicKey), ''];
    return Buffer.concat([Buffer.from(text.join('\n'), 'utf8'), publicKey]);
  }

  #file(objectId: string): SeedFile {
    const bytes = this.#keyring.folder.read(`${objectId}${ending}`);
    if (bytes === null) {
      throw new AgentError(
        'backend_unavailable',
        `there is no key ${objectId} in ${this.#keyring.folder.path}: put its file back from a copy`,
      );
    }
    try {
      return parseSeed(bytes);
    } catch (failure) {
      throw new AgentError(
        'backend_unavailable',
        `${this.#path(objectId)} is broken: ${describeFailure(failure)}. It was left alone: put it back from a copy`,
        { cause: failure },
      );
    }
  }

  #path(objectId: string): string {
    return this.#keyring.folder.pathOf(`${objectId}${ending}`);
  }
}

/** Throws an Error with the reason. */
function parseSeed(bytes: Buffer): SeedFile {
  const { kid, public_key_b64, sealed_b64 } = document.parse(JSON.parse(bytes.toString('utf8')));
  const publicKey = Buffer.from(public_key_b64, 'base64url');
  if (kidOf(publicKey) !== kid) throw new Error('kid and public key are of two keys');
  return { publicKey, sealed: Buffer.from(sealed_b64, 'base64url') };
}
