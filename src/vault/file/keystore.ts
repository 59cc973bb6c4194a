import { noAttestation } from '../no-attestation.ts';
import { sign as signMessage, type KeyObject } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import { kidOf } from '../../algorithms/kid.ts';
import { emptyState, heldKeys, type KeyringState } from '../key-records.ts';
import { formatTime } from '../../base/rfc3339.ts';
import type { FileContent } from '../../base/files.ts';
import { ParsedFile } from '../../files/parsed-file.ts';
import { describeProblem } from '../../files/document-fields.ts';
import type { OpenedRecords, StateStore, Versioned } from '../state-store.ts';
import type { World } from '../../base/world.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import type { Vault, VaultKey } from '../vault.ts';
import { keystoreText, parseKeystore, stateOf, type Keystore } from './keystore-format.ts';
import { readKeystore } from './read-keystore.ts';
import { privateKeyOf, publicKeyOf, seedTextOf } from './seed.ts';
import { SignatureQueue } from './signature-queue.ts';

interface Loaded extends Versioned {
  readonly document: Keystore;
  /** By kid: every key of the document that has a seed. */
  readonly privateKeys: ReadonlyMap<string, KeyObject>;
}

const seedLength = 32;

/**
 * A keystore file: vault and state store in one, because its private keys and key records are one document
 * that is replaced as a whole. A key that was generated exists once a state that names it was saved.
 */
export class FileKeystore implements Vault, StateStore {
  readonly name = 'file';
  readonly algorithm = algorithms.ed25519;
  readonly protection = 'software';
  readonly reserve = null;
  readonly outage = null;
  readonly openings = 0;
  readonly sealStore = null;
  /** Nothing outlives the file but itself. */
  readonly rollbackProtection = 'none';
  readonly location: string;
  readonly #world: World;
  readonly #queue = new SignatureQueue((key: KeyObject, message, done) => {
    if (done === null) return signMessage(null, message, key);
    signMessage(null, message, key, done);
    return null;
  });
  readonly #file: ParsedFile<Loaded>;
  /** Keys that no saved state names yet, by kid. */
  #staged = new Map<string, KeyObject>();

  constructor(path: string, world: World) {
    this.location = path;
    this.#world = world;
    this.#file = new ParsedFile(path, world.files, (content) => this.#load(content));
  }

  /**
   * Rewrites a legacy file, 32 raw seed bytes, as keystore v1 in place. Does nothing to any other file.
   */
  async migrateLegacySeed(): Promise<void> {
    const content = this.#world.files.read(this.location);
    if (content === null || !isLegacySeed(content.bytes)) return;
    const seed = content.bytes;
    const publicKey = publicKeyOf(seed);
    const kid = kidOf(publicKey);
    const createdAt = formatTime(content.modifiedAt); // the best that is known of when it was made
    this.#staged.set(kid, privateKeyOf(seed));
    seed.fill(0);
    const key = { kid, publicKey, createdAt, objectId: kid };
    await this.#write(
      { ...emptyState, keys: new Map([[kid, key]]), active: kid },
      null,
      content.identity,
    );
    this.#world.log.warn({ path: this.location, kid }, 'legacy seed file rewritten as keystore v1');
  }

  /** Nothing to do: there is no seal. */
  open(): Promise<OpenedRecords> {
    return Promise.resolve({ provedNewest: false });
  }

  async seal(): Promise<void> {
    await Promise.resolve();
  }

  current(): Versioned | null {
    return this.#file.current();
  }

  async save(state: KeyringState, expected: string | null): Promise<Versioned> {
    return this.#write(state, this.#file.current(), expected);
  }

  generate(): Promise<VaultKey> {
    this.#staged.clear(); // what is left of a change that failed
    const seed = this.#world.randomBytes(seedLength);
    const publicKey = publicKeyOf(seed);
    const kid = kidOf(publicKey);
    const key = privateKeyOf(seed);
    seed.fill(0);
    const message = this.#world.randomBytes(32);
    if (!this.algorithm.verify(message, signMessage(null, message, key), publicKey)) {
      throw new AgentError('internal', 'a new key made a signature that does not verify');
    }
    this.#staged.set(kid, key);
    return Promise.resolve({ objectId: kid, publicKey });
  }

  sign({ objectId }: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    const key = this.#file.current()?.privateKeys.get(objectId);
    if (key === undefined) {
      const message = `${this.location} has no private key ${objectId}`;
      return Promise.reject(new AgentError('backend_unavailable', message));
    }
    return this.#queue.sign(key, message);
  }

  /** Nothing to do: a key goes with the saved state that names it no more. */
  async destroy(): Promise<void> {
    await Promise.resolve();
  }

  async list(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  async evidence(): Promise<null> {
    return Promise.resolve(null);
  }

  readonly importKey =
    "it would be a file keyring's, and those take keys from a backup: agentctl restore";

  attest(): Promise<never> {
    return noAttestation('it is in a file, and nothing vouches for that');
  }

  async close(): Promise<void> {
    this.#file.forget();
    this.#staged.clear();
    return Promise.resolve();
  }

  #load({ bytes, identity }: FileContent): Loaded {
    try {
      const { document, privateKeys, publicKeys } = readKeystore(bytes);
      return { document, privateKeys, state: stateOf(document, publicKeys), version: identity };
    } catch (failure) {
      throw new AgentError(
        'backend_unavailable',
        `${this.location} is no keystore v1: ${describeProblem(failure)}. It was left alone: ` +
          'put it back from a copy, or correct it',
      );
    } finally {
      bytes.fill(0);
    }
  }

  async #write(
    state: KeyringState,
    base: Loaded | null,
    expected: string | null,
  ): Promise<Versioned> {
    const seeds = new Map<string, string>();
    const privateKeys = new Map<string, KeyObject>();
    for (const { kid } of heldKeys(state)) {
      const key = base?.privateKeys.get(kid) ?? this.#staged.get(kid);
      if (key === undefined)
        throw new AgentError('conflict', `${this.location}: key ${kid} is gone`);
      seeds.set(kid, seedTextOf(key));
      privateKeys.set(kid, key);
    }
    const text = keystoreText(state, seeds, base?.document ?? null);
    const bytes = Buffer.from(text, 'utf8');
    try {
      const document = parseKeystore(text);
      const saved = await this.#file.replace(bytes, expected, (version) => ({
        document,
        privateKeys,
        state,
        version,
      }));
      this.#staged.clear();
      return saved;
    } finally {
      bytes.fill(0);
    }
  }
}

/** Exactly 32 bytes that are no JSON: the raw seed of a time before there were documents. */
export function isLegacySeed(bytes: Buffer): boolean {
  if (bytes.length !== seedLength) return false;
  try {
    JSON.parse(bytes.toString('utf8'));
    return false;
  } catch {
    return true;
  }
}
