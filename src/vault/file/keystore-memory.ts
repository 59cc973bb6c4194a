import { hash, type KeyObject } from 'node:crypto';
import { dirname } from 'node:path';
import { ensurePrivateDir } from '../../files/checked-dir.ts';
import { AgentError, describeFailure } from '../../base/errors.ts';
import type { World } from '../../base/world.ts';
import { describeProblem } from '../../files/document-fields.ts';
import { compareTimes, parseTime } from '../../base/rfc3339.ts';
import { emptyState, heldKeys, type KeyRecord, type KeyringState } from '../key-records.ts';
import { stateOf } from './keystore-format.ts';
import { mergeRecords, type KnownRecords } from './merged-records.ts';
import { readKeystore } from './read-keystore.ts';

/** How long a key stays valid that was active and was written over, seconds: as long as one that is rotated by hand. */
const graceSeconds = 7 * 86_400;

/** What was read or written last. */
interface Remembered extends KnownRecords {
  readonly privateKeys: ReadonlyMap<string, KeyObject>;
  /** SHA-256 of the file that it stands for. */
  readonly contentHash: string;
}

export interface RememberedKeystore {
  readonly path: string;
  /** Of the second copy; null: there is none. */
  readonly copyPath: string | null;
  /** Keys that the keystore had; empty: nothing is known. */
  readonly knownKids: readonly string[];
}

/**
 * What is known of a keystore besides what its file says: in memory, and in a second copy of the file that no other
 * program writes.
 */
export class KeystoreMemory {
  readonly #path: string;
  readonly #copyPath: string | null;
  readonly #knownKids: readonly string[];
  readonly #world: Pick<World, 'files' | 'now' | 'log'>;
  #known: Remembered | null = null;
  /** SHA-256 and version of the copy on disk; null: there is none, or none that can be used. */
  #copy: { readonly contentHash: string; readonly identity: string } | null = null;

  constructor(
    { path, copyPath, knownKids }: RememberedKeystore,
    world: Pick<World, 'files' | 'now' | 'log'>,
  ) {
    this.#path = path;
    this.#copyPath = copyPath;
    this.#knownKids = knownKids;
    this.#world = world;
  }

  /** Reads the copy. One that cannot be read is made anew from the file, and that is said. */
  recall(): void {
    const content = this.#copyPath === null ? null : this.#world.files.read(this.#copyPath);
    if (content === null) return;
    const { bytes, identity } = content;
    try {
      const contentHash = hash('sha256', bytes, 'hex');
      this.#copy = { contentHash, identity };
      const { document, privateKeys, publicKeys } = readKeystore(bytes);
      if (this.#knownKids.length > 0 && !this.#knownKids.some((kid) => publicKeys.has(kid))) {
        throw new Error("it is another keyring's: it has none of the keys that this one had");
      }
      const pruned = new Map(Object.entries(document.pruned ?? {}));
      this.#known = { state: stateOf(document, publicKeys), pruned, privateKeys, contentHash };
    } catch (failure) {
      this.#world.log.error(
        { path: this.#copyPath, reason: describeProblem(failure) },
        'the second copy of the keystore cannot be used, and is made anew from the keystore',
      );
    } finally {
      bytes.fill(0);
    }
  }

  /** Throws where the file is gone and this agent has had keys in it. */
  refuseGone(): void {
    if (this.#known === null) return;
    throw this.refusal('is gone');
  }

  /** `found` follows the path. With the copy's remedy, where there is a copy that is whole. */
  refusal(found: string): AgentError {
    const copy = this.#copyPath;
    const remedy =
      copy === null || this.#known === null
        ? 'put it back from a copy, or correct it'
        : `what it held when the agent last wrote it is in ${copy}: put that in its place (cp -p ${copy} ${this.#path}), ` +
          'or put it back from another copy';
    return new AgentError(
      'backend_unavailable',
      `${this.#path} ${found}. It was left alone: ${remedy}`,
    );
  }

  /**
   * What counts when the file says `read`. Throws `backend_unavailable` where that is another keyring's, which shares
   * no key with what is known.
   */
  merged(read: Remembered): Remembered & { readonly restored: readonly string[] } {
    const known = this.#known;
    this.#adoptCopyOf(read.contentHash);
    if (known === null || this.#copy?.contentHash === read.contentHash) {
      const held = { ...read, restored: [] };
      this.#known = read;
      return held;
    }
    this.#refuseStranger(read.state, known.state);
    const { state, pruned, restored } = mergeRecords(
      read.state,
      { state: known.state, pruned: new Map([...read.pruned, ...known.pruned]) },
      this.#world.now(),
      graceSeconds,
    );
    const privateKeys = new Map(
      heldKeys(state).flatMap(({ kid }) => {
        const key = read.privateKeys.get(kid) ?? known.privateKeys.get(kid);
        return key === undefined ? [] : [[kid, key] as const];
      }),
    );
    const { contentHash } = read;
    this.#known = { state, pruned, privateKeys, contentHash };
    return { ...this.#known, restored };
  }

  /** A private key that is known, whatever the file says. */
  keyOf(kid: string): KeyObject | undefined {
    return this.#known?.privateKeys.get(kid);
  }

  /** With the keys that were known and are not in `next`: they are pruned with it. */
  prunedBy(next: KeyringState): KnownRecords['pruned'] {
    const { state, pruned } = this.#known ?? { state: emptyState, pruned: new Map() };
    const gone = [...state.keys.keys()].flatMap((kid) => {
      const until = state.graceUntil.get(kid);
      return next.keys.has(kid) || until === undefined ? [] : [[kid, until] as const];
    });
    return gone.length === 0 ? pruned : new Map([...pruned, ...gone]);
  }

  /** That was saved. */
  know(saved: Remembered): void {
    this.#known = saved;
  }

  /** Makes the copy equal to the file, which has that content. Never rejects. */
  async keep(contentHash: string): Promise<void> {
    const path = this.#copyPath;
    if (path === null || this.#copy?.contentHash === contentHash) return;
    const content = this.#world.files.read(this.#path);
    if (content === null) return;
    try {
      if (hash('sha256', content.bytes, 'hex') !== contentHash) return; // another one by now
      ensurePrivateDir(dirname(path));
      const before = this.#copy?.identity ?? this.#world.files.read(path)?.identity ?? null;
      const identity = await this.#world.files.replace(path, content.bytes, before);
      this.#copy = { contentHash, identity };
    } catch (failure) {
      this.#world.log.error(
        { path, reason: describeFailure(failure) },
        'the second copy of the keystore could not be written: the next change tries again',
      );
    } finally {
      content.bytes.fill(0);
    }
  }

  forget(): void {
    this.#known = null;
    this.#copy = null;
  }

  /** Whoever restores a backup writes both: then the file counts as it is. */
  #adoptCopyOf(contentHash: string): void {
    if (this.#copyPath === null || this.#copy?.contentHash === contentHash) return;
    const identity = this.#world.files.identify(this.#copyPath);
    if (identity === null || identity === this.#copy?.identity) return;
    const content = this.#world.files.read(this.#copyPath);
    if (content === null) return;
    this.#copy = { contentHash: hash('sha256', content.bytes, 'hex'), identity: content.identity };
    content.bytes.fill(0);
  }

  #refuseStranger(read: KeyringState, known: KeyringState): void {
    if (known.keys.size === 0 || [...read.keys.keys()].some((kid) => known.keys.has(kid))) return;
    // A program that rotated without a grace and pruned since leaves keys alone that are newer than all of ours.
    if ([...read.keys.values()].every((key) => isNewerThanAll(key, known))) return;
    const copy = this.#copyPath ?? 'what is remembered';
    throw new AgentError(
      'backend_unavailable',
      `${this.#path} and its second copy ${copy} have no key in common (active: ${read.active ?? 'none'}, and ` +
        `${known.active ?? 'none'} in the copy): one of them is another keyring's. Both were left alone. Where the copy is ` +
        `the right one: cp -p ${copy} ${this.#path}. Where ${this.#path} is, move the copy away and start again`,
    );
  }
}

function isNewerThanAll({ createdAt }: KeyRecord, { keys }: KeyringState): boolean {
  const made = parseTime(createdAt);
  return [...keys.values()].every((other) => {
    const before = parseTime(other.createdAt);
    return made !== null && before !== null && compareTimes(made, before) > 0;
  });
}
