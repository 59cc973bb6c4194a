import { noAttestation } from '../no-attestation.ts';
import { hash, sign as signMessage, type KeyObject } from 'node:crypto';
import { AgentError, describeFailure } from '../../base/errors.ts';
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
import { KeystoreMemory } from './keystore-memory.ts';
import type { KnownRecords } from './merged-records.ts';
import { readKeystore } from './read-keystore.ts';
import { privateKeyOf, publicKeyOf, seedTextOf } from './seed.ts';
import { SignatureQueue } from './signature-queue.ts';

interface Loaded extends Versioned {
  readonly document: Keystore;
  /** SHA-256 of the file's content. */
  readonly contentHash: string;
  readonly pruned: KnownRecords['pruned'];
  /** By kid: every key of the state that is not revoked. */
  readonly privateKeys: ReadonlyMap<string, KeyObject>;
}

/** `restored`: see MergedRecords. */
type Merged = Loaded & { readonly restored: readonly string[] };

interface Replaced {
  readonly loaded: Loaded;
  /** null: what was replaced is what was read. */
  readonly displaced: Buffer | null;
}

const seedLength = 32;
/** How often a save starts over because another program wrote in the very same moment. */
const mostRepairs = 100;

/**
 * A keystore file: vault and state store in one, because its private keys and key records are one document
 * that is replaced as a whole. A key that was generated exists once a state that names it was saved.
 *
 * Other programs write the file too, without a lock and without what version 1 does not have. What they write is
 * merged with what is known from before (`mergeRecords`): their keys are taken over, and nothing of ours is undone.
 */
export class FileKeystore implements Vault, StateStore {
  readonly name = 'file';
  readonly algorithm = algorithms.ed25519;
  readonly protection = 'software';
  readonly reserve = null;
  readonly outage = null;
  readonly openings = 0;
  readonly flaw = null;
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
  readonly #memory: KeystoreMemory;
  /** Keys that no saved state names yet, by kid. */
  #staged = new Map<string, KeyObject>();
  /** What another program undid is being written again. */
  #repair: Promise<void> | null = null;
  /** The file lacks what is known: it must not become the second copy. */
  #isUndone = false;

  /**
   * `copyPath`: where the second copy is kept; null: there is none, and nothing is remembered over a restart.
   * `knownKids`: keys that this keystore had, of which its second copy must have one.
   */
  constructor(
    path: string,
    world: World,
    copyPath: string | null = null,
    knownKids: readonly string[] = [],
  ) {
    this.location = path;
    this.#world = world;
    this.#file = new ParsedFile(path, world.files, (content) => this.#load(content));
    this.#memory = new KeystoreMemory({ path, copyPath, knownKids }, world);
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

  /** There is no seal, but a second copy: throws `backend_unavailable` where the file is gone or damaged and it is not. */
  async open(): Promise<OpenedRecords> {
    this.#world.files.tidy(this.location);
    this.#memory.recall();
    this.current();
    await this.#repair;
    await this.#keepCopy();
    return { provedNewest: false };
  }

  async seal(): Promise<void> {
    await Promise.resolve();
  }

  current(): Versioned | null {
    const loaded = this.#file.current();
    if (loaded === null) this.#memory.refuseGone();
    return loaded;
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
    await this.#repair;
    this.#file.forget();
    this.#memory.forget();
    this.#staged.clear();
  }

  #load({ bytes, identity }: FileContent): Loaded {
    try {
      const loaded = this.#merged(bytes, identity);
      this.#isUndone = loaded.restored.length > 0;
      if (!this.#isUndone) return loaded;
      this.#world.log.error(
        { path: this.location, undone: loaded.restored },
        'another program wrote the keystore from an older reading, or without members that it does not know: what ' +
          'that undid is put back',
      );
      this.#repair ??= this.#writeBack().finally(() => {
        this.#repair = null;
      });
      return loaded;
    } finally {
      bytes.fill(0);
    }
  }

  /** What the file says, with what is known besides; from now on that is what is known. */
  #merged(bytes: Buffer, identity: string): Merged {
    const contentHash = hash('sha256', bytes, 'hex');
    try {
      const { document, privateKeys, publicKeys } = readKeystore(bytes);
      const read = stateOf(document, publicKeys);
      const pruned = new Map(Object.entries(document.pruned ?? {}));
      const merged = this.#memory.merged({ state: read, pruned, privateKeys, contentHash });
      return { ...merged, document, contentHash, version: identity };
    } catch (failure) {
      if (failure instanceof AgentError) throw failure;
      throw this.#memory.refusal(`is no keystore v1: ${describeProblem(failure)}`);
    }
  }

  /** Saves the merged records, so that other programs see them too. Never rejects: the next reading tries again. */
  async #writeBack(): Promise<void> {
    // Not while the file is being read for somebody: the version that was answered must stay the newest for now.
    await Promise.resolve();
    try {
      const loaded = this.#file.current();
      if (loaded !== null) await this.#write(loaded.state, loaded, loaded.version);
    } catch (failure) {
      this.#world.log.warn(
        { path: this.location, reason: describeFailure(failure) },
        'what another program had undone could not be written yet',
      );
    }
  }

  async #write(
    state: KeyringState,
    base: Loaded | null,
    expected: string | null,
  ): Promise<Versioned> {
    let [next, from, version] = [state, base, expected];
    for (let attempt = 1; ; attempt += 1) {
      const saved = await this.#replace(next, from, version).catch((failure: unknown) => {
        // Once it is in the file it is a change that was made, whoever wrote the file since.
        if (attempt === 1 || !isConflict(failure)) throw failure;
        return null;
      });
      if (saved?.displaced === null) {
        this.#staged.clear();
        this.#isUndone = false;
        await this.#keepCopy();
        return saved.loaded;
      }
      if (attempt >= mostRepairs) {
        throw new AgentError(
          'conflict',
          `${this.location} is written by another program all the time: look whether the change was made`,
        );
      }
      // Another program wrote around our rename: its keys are taken over.
      const merged = saved === null ? this.#mergedAnew() : this.#takenOver(saved);
      this.#world.log.error(
        { path: this.location, undone: merged.restored },
        'another program wrote the keystore at the very same moment: both writes are kept',
      );
      [next, from, version] = [merged.state, merged, merged.version];
    }
  }

  /** What was displaced, with what took its place. */
  #takenOver({ loaded, displaced }: Replaced): Merged {
    const bytes = displaced ?? Buffer.alloc(0);
    try {
      // In the file by now is what took its place: that is what the next exchange must find there.
      return { ...this.#merged(bytes, loaded.version), contentHash: loaded.contentHash };
    } finally {
      bytes.fill(0);
    }
  }

  /** What is in the file by now, with what is known. */
  #mergedAnew(): Merged {
    const content = this.#world.files.read(this.location);
    if (content === null) throw this.#memory.refusal('is gone');
    try {
      return this.#merged(content.bytes, content.identity);
    } finally {
      content.bytes.fill(0);
    }
  }

  /** `displaced`: what was replaced, where that is not what `base` was read from. */
  async #replace(
    state: KeyringState,
    base: Loaded | null,
    expected: string | null,
  ): Promise<Replaced> {
    const seeds = new Map<string, string>();
    const privateKeys = new Map<string, KeyObject>();
    for (const { kid } of heldKeys(state)) {
      const key = base?.privateKeys.get(kid) ?? this.#staged.get(kid) ?? this.#memory.keyOf(kid);
      if (key === undefined)
        throw new AgentError('conflict', `${this.location}: key ${kid} is gone`);
      seeds.set(kid, seedTextOf(key));
      privateKeys.set(kid, key);
    }
    const pruned = this.#memory.prunedBy(state);
    const text = keystoreText(state, pruned, seeds, base?.document ?? null);
    const bytes = Buffer.from(text, 'utf8');
    try {
      const contentHash = hash('sha256', bytes, 'hex');
      const document = parseKeystore(text);
      let displaced: Buffer | null = null;
      const loaded = await this.#file.exchange(bytes, expected, (version, before) => {
        const isKnown = before === null || base === null;
        if (!isKnown && hash('sha256', before, 'hex') !== base.contentHash) displaced = before;
        else before?.fill(0);
        return { document, contentHash, privateKeys, pruned, state, version };
      });
      this.#memory.know(loaded);
      return { loaded, displaced };
    } finally {
      bytes.fill(0);
    }
  }

  /** The second copy is what the file says. Never rejects: the change itself is saved. */
  async #keepCopy(): Promise<void> {
    const loaded = this.#file.current();
    if (loaded !== null && !this.#isUndone) await this.#memory.keep(loaded.contentHash);
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

function isConflict(failure: unknown): boolean {
  return failure instanceof AgentError && failure.kind === 'conflict';
}
