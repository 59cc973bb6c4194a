import { AgentError } from '../../base/errors.ts';
import { kidOf } from '../../algorithms/kid.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import type { AttestationDocument } from '../../formats/tpm/attestation-document.ts';
import { nameOf, pointOf, readPublicArea } from '../../formats/tpm/public-area.ts';
import type { Tss2Key } from '../../formats/tpm/tss2-key.ts';
import type { ForeignKey, VaultKey } from '../vault.ts';
import type { TpmConnection } from './connection.ts';
import { attestKey } from './attestation.ts';
import { readForeignKey, rebind } from './foreign-key.ts';
import { attributesOf, faultOf } from './key-attributes.ts';
import { creationBytes, creationEnding, parseCreation } from './stored/creation-file.ts';
import { importBytes, importEnding, originOf } from './stored/key-origin.ts';
import { keyFileBytes, readKeyFile } from './stored/key-file.ts';
import {
  checkCreation,
  createObject,
  readPublic,
  signDigest,
  signingKeyTemplate,
} from './objects.ts';
import type { NamedHandle } from './tpm.ts';
import type { KeyForm, TpmKeyring } from './tpm-keyring.ts';

/** Registers whose values are noted when a key is made: firmware, its settings, what was started, secure boot. */
const notedPcrs = [0, 1, 2, 3, 4, 5, 6, 7];

const ending = '.pem';

interface Proved {
  readonly file: Tss2Key;
  readonly auth: Buffer;
  readonly publicKey: Uint8Array;
}

/** Keys that are made in the TPM and never leave it: a file has what the TPM alone can use. */
export class Es256Keys implements KeyForm {
  readonly protection = 'hardware';
  readonly #keyring: TpmKeyring;
  readonly #algorithm: Algorithm;
  /** By object id: read back from the TPM, and proved to be the private half of that public key. */
  readonly #proved = new Map<string, Proved>();

  constructor(keyring: TpmKeyring, algorithm: Algorithm) {
    this.#keyring = keyring;
    this.#algorithm = algorithm;
  }

  async make(objectId: string): Promise<VaultKey> {
    const { world } = this.#keyring;
    const auth = this.#keyring.keyAuth();
    const { file, creation, key } = await this.#keyring.use('make a key', async (connection) => {
      const made = await createObject(connection, {
        template: signingKeyTemplate,
        auth,
        data: Buffer.alloc(0),
        outsideInfo: Buffer.from(`signing-agent/${this.#keyring.name}/${objectId}`, 'utf8'),
        pcrs: notedPcrs,
      });
      const file: Tss2Key = {
        type: 'loadable',
        emptyAuth: auth.length === 0,
        policy: [],
        parent: connection.root.parent,
        public: made.public,
        private: made.private,
      };
      const object = await connection.objects.load(connection, made);
      await checkCreation(connection, object, made);
      const key = { objectId, publicKey: await this.#readBack(connection, object, objectId) };
      await this.#signAndProve(connection, file, auth, key, world.randomBytes(32));
      return { file, creation: creationBytes(made), key };
    });
    return this.#keep(key, { file, auth }, `${objectId}${creationEnding}`, creation);
  }

  /** The key gets the authorisation that those of this keyring have; what its file asked for opens that file alone. */
  readonly importKey = async (objectId: string, given: ForeignKey): Promise<VaultKey> => {
    const { world } = this.#keyring;
    const theirs = readForeignKey(given);
    const auth = this.#keyring.keyAuth();
    const { file, key } = await this.#keyring.use('take a key over', async (connection) => {
      const file = await rebind(connection, theirs, auth);
      const object = await connection.objects.load(connection, file);
      const key = { objectId, publicKey: await this.#readBack(connection, object, objectId) };
      await this.#signAndProve(connection, file, auth, key, world.randomBytes(32));
      return { file, key };
    });
    const noted = importBytes(world.now());
    return this.#keep(key, { file, auth }, `${objectId}${importEnding}`, noted);
  };

  has(objectId: string): boolean {
    return this.#keyring.folder.names().includes(`${objectId}${ending}`);
  }

  objectIds(): readonly string[] {
    const ours = this.#keyring.folder.names().filter((name) => name.endsWith(ending));
    return ours.map((name) => name.slice(0, -ending.length));
  }

  publicKey(objectId: string): Uint8Array {
    const point = pointOf(readPublicArea(this.#file(objectId).public));
    if (point !== null) return point;
    throw new AgentError(
      'backend_unavailable',
      `${this.#keyring.folder.pathOf(objectId + ending)} is no key of P-256`,
    );
  }

  async sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    const proved = this.#proved.get(key.objectId);
    const known = proved !== undefined && Buffer.compare(proved.publicKey, key.publicKey) === 0;
    return this.#keyring.use('sign', async (connection) => {
      if (!known) return this.#proveBySigning(connection, key, message);
      const object = await connection.objects.load(connection, proved.file);
      const digest = this.#algorithm.toBeSigned(message);
      return signDigest(connection, object, proved.auth, digest);
    });
  }

  /** `beside`: what is known of where the key comes from. */
  async #keep(
    key: VaultKey,
    { file, auth }: Pick<Proved, 'file' | 'auth'>,
    beside: string,
    content: Buffer,
  ): Promise<VaultKey> {
    const { folder, world } = this.#keyring;
    world.testPoint('tpm/key-made');
    await folder.create(beside, content);
    // The last of the two: with it the key is there.
    await folder.create(`${key.objectId}${ending}`, keyFileBytes(file));
    this.#proved.set(key.objectId, { file, auth, publicKey: key.publicKey });
    return key;
  }

  async remove(objectId: string): Promise<void> {
    const { folder } = this.#keyring;
    this.#proved.delete(objectId);
    await folder.remove(`${objectId}${ending}`);
    await folder.remove(`${objectId}${creationEnding}`);
    await folder.remove(`${objectId}${importEnding}`);
  }

  attest(key: VaultKey, nonce: Uint8Array): Promise<AttestationDocument> {
    const { objectId, publicKey } = key;
    const file = this.#file(objectId);
    if (Buffer.compare(this.publicKey(objectId), publicKey) !== 0) {
      throw new AgentError(
        'backend_unavailable',
        `the file of key ${objectId} is of another public key than the records have for it`,
      );
    }
    const auth = file.emptyAuth ? Buffer.alloc(0) : this.#keyring.secretAuth();
    const made = this.#keyring.folder.read(`${objectId}${creationEnding}`);
    return this.#keyring.use('attest a key', async (connection) => {
      const attested = await attestKey(connection, file, {
        ...{ auth, nonce },
        made: made === null ? null : parseCreation(made),
      });
      return {
        version: 1,
        type: 'tpm2',
        kid: kidOf(publicKey),
        public_key_b64: Buffer.from(publicKey).toString('base64url'),
        nonce_b64: Buffer.from(nonce).toString('base64url'),
        key_public_b64: Buffer.from(file.public).toString('base64url'),
        ...attested,
      };
    });
  }

  evidence(objectId: string): Readonly<Record<string, unknown>> {
    const file = this.#file(objectId);
    const area = readPublicArea(file.public);
    return {
      ...originOf(this.#keyring.folder, objectId),
      name: nameOf(file.public).toString('hex'),
      parent: `0x${file.parent.toString(16)}`,
      ...attributesOf(area),
      authorization: file.emptyAuth ? 'empty' : 'kept under the sealed key',
    };
  }

  wipe(): void {
    for (const { auth } of this.#proved.values()) auth.fill(0);
    this.#proved.clear();
  }

  /** A key of a file is used only once the TPM has shown it, and it has made a signature that verifies. */
  async #proveBySigning(
    connection: TpmConnection,
    key: VaultKey,
    message: Uint8Array,
  ): Promise<Buffer> {
    const file = this.#file(key.objectId);
    const auth = file.emptyAuth ? Buffer.alloc(0) : this.#keyring.secretAuth();
    const object = await connection.objects.load(connection, file);
    await this.#readBack(connection, object, key.objectId);
    const signature = await this.#signAndProve(connection, file, auth, key, message);
    // A copy: what came over the process boundary is a view of a larger piece.
    this.#proved.set(key.objectId, { file, auth, publicKey: Uint8Array.from(key.publicKey) });
    return signature;
  }

  /** Its public key. `not_supported` where the TPM does not say that it keeps the key to itself. */
  async #readBack(
    connection: TpmConnection,
    object: NamedHandle,
    objectId: string,
  ): Promise<Buffer> {
    const area = readPublicArea(await readPublic(connection, object));
    const point = pointOf(area);
    const fault = point === null ? 'it is no key of P-256' : faultOf(area);
    if (point !== null && fault === null && this.#algorithm.isPublicKey(point)) return point;
    throw new AgentError(
      'not_supported',
      `the TPM's key ${objectId} is refused: ${fault ?? 'its public key is no point of the curve'}`,
    );
  }

  async #signAndProve(
    connection: TpmConnection,
    file: Tss2Key,
    auth: Buffer,
    key: VaultKey,
    message: Uint8Array,
  ): Promise<Buffer> {
    const object = await connection.objects.load(connection, file);
    const digest = this.#algorithm.toBeSigned(message);
    const signature = await signDigest(connection, object, auth, digest);
    if (this.#algorithm.verify(message, signature, key.publicKey)) return signature;
    throw new AgentError(
      'backend_unavailable',
      `a signature of the TPM's key ${key.objectId} does not verify with its public key`,
    );
  }

  #file(objectId: string): Tss2Key {
    const { folder } = this.#keyring;
    const file = readKeyFile(folder, `${objectId}${ending}`, 'loadable');
    if (file !== null) return file;
    throw new AgentError(
      'backend_unavailable',
      `there is no key ${objectId} in ${folder.path}: put its file back from a copy`,
    );
  }
}
