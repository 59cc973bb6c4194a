import { dirname } from 'node:path';
import { AgentError } from '../../base/errors.ts';
import { ensurePrivateDir } from '../../files/checked-dir.ts';
import { kidOf } from '../../algorithms/kid.ts';
import { formatTime } from '../../base/rfc3339.ts';
import type { FileContent } from '../../base/files.ts';
import { describeProblem } from '../../files/document-fields.ts';
import type { World } from '../../base/world.ts';
import type { KeystoreChanges, Restored } from '../../api/backup.ts';
import type { KeyringBackup, KeystoreCopy } from '../keyring-backup.ts';
import type { Named } from '../kind-calls.ts';
import { isLegacySeed } from './keystore.ts';
import type { FileSettings } from './place.ts';
import type { Keystore } from './keystore-format.ts';
import { checkedBackup } from './checked-backup.ts';
import { readKeystore } from './read-keystore.ts';
import { aheadOf, withLatestTime } from './restored-time.ts';
import { publicKeyOf } from './seed.ts';

/** Kids that are named in a sentence. */
const mostNamed = 20;

/** What was in the place of the keystore. */
interface Previous {
  readonly content: FileContent;
  readonly document: Pick<Keystore, 'keys' | 'active' | 'revoked' | 'latest_time'> | null;
  /** Why it cannot be read, where it cannot. */
  readonly fault: string | null;
}

/**
 * The copies of a file keyring's keystore: taken out for a backup, put back by a restore. Works on the file alone,
 * whether or not an agent serves it: one that does reads it again as soon as it has become another one.
 */
export class KeystoreCopies implements KeyringBackup {
  readonly #keyring: string;
  readonly #path: string;
  readonly #copyPath: string;
  readonly #world: Pick<World, 'files' | 'now' | 'randomBytes'>;

  constructor(
    { name, path, copyPath }: Pick<Named<FileSettings>, 'name' | 'path' | 'copyPath'>,
    world: Pick<World, 'files' | 'now' | 'randomBytes'>,
  ) {
    this.#keyring = name;
    this.#path = path;
    this.#copyPath = copyPath;
    this.#world = world;
  }

  take(): KeystoreCopy {
    const content = this.#world.files.read(this.#path);
    if (content === null) {
      throw new AgentError('backend_unavailable', `${this.#path} is not there: nothing to back up`);
    }
    try {
      const { document } = readKeystore(content.bytes);
      return { bytes: content.bytes, kids: document.keys.map(({ id }) => id) };
    } catch (failure) {
      content.bytes.fill(0);
      throw new AgentError(
        'backend_unavailable',
        `${this.#path} is no keystore v1: ${describeProblem(failure)}. Nothing was backed up`,
      );
    }
  }

  /** As KeyringBackup; `bytes` are a keystore v1. */
  async restore(bytes: Buffer, { replace }: { replace: boolean }): Promise<Restored> {
    const backup = checkedBackup(bytes, this.#world);
    const previous = this.#previous();
    try {
      const changes = changesFrom(previous, backup.document);
      if (previous !== null && !replace) throw alreadyExists(this.#path, previous, changes);
      const seen = previous?.document?.latest_time;
      const merged = withLatestTime(bytes, backup.document, seen);
      let kept: string | null = null;
      try {
        kept = await this.#withSecondCopy(merged, () => this.#exchange(previous, merged));
      } finally {
        if (merged !== bytes) merged.fill(0);
      }
      return {
        keyring: this.#keyring,
        file: this.#path,
        previous_file: kept,
        latest_time_ahead: aheadOf(this.#world.now(), [backup.document.latest_time, seen]),
        ...changes,
      };
    } finally {
      previous?.content.bytes.fill(0);
    }
  }

  /**
   * The second copy comes first: an agent that serves the keystore takes a file that is as its second copy for what is
   * meant. Where the file was not replaced, the copy is what it was.
   */
  async #withSecondCopy<T>(bytes: Uint8Array, work: () => Promise<T>): Promise<T> {
    const { files } = this.#world;
    ensurePrivateDir(dirname(this.#copyPath));
    const before = files.read(this.#copyPath);
    try {
      const copied = await files.replace(this.#copyPath, bytes, before?.identity ?? null);
      try {
        return await work();
      } catch (failure) {
        if (before !== null) await files.replace(this.#copyPath, before.bytes, copied);
        else files.discard(this.#copyPath, copied);
        throw failure;
      }
    } finally {
      before?.bytes.fill(0);
    }
  }

  /** Answers where what was there lies now. */
  async #exchange(previous: Previous | null, bytes: Uint8Array): Promise<string | null> {
    const { files, now } = this.#world;
    if (previous === null) {
      await files.replace(this.#path, bytes, null);
      return null;
    }
    const { content } = previous;
    const kept = keptPath(this.#path, now());
    const keptIdentity = await files.replace(kept, content.bytes, null);
    try {
      await files.replace(this.#path, bytes, content.identity);
    } catch (failure) {
      // Somebody else changed it and nothing was restored: a copy that nobody is told of has keys all the same. After
      // any other failure it stays, since the new file may be in place already.
      if (failure instanceof AgentError && failure.kind === 'conflict') {
        files.discard(kept, keptIdentity);
      }
      throw failure;
    }
    return kept;
  }

  #previous(): Previous | null {
    const content = this.#world.files.read(this.#path);
    if (content === null) return null;
    try {
      const document = isLegacySeed(content.bytes)
        ? documentOfSeed(content.bytes)
        : readKeystore(content.bytes).document;
      return { content, document, fault: null };
    } catch (failure) {
      return { content, document: null, fault: describeProblem(failure) };
    }
  }
}

function changesFrom(previous: Previous | null, { keys, active }: Keystore): KeystoreChanges {
  const kids = keys.map(({ id }) => id);
  const before = previous?.document ?? null;
  const had = new Set(before?.keys.map(({ id }) => id));
  const has = new Set(kids);
  const revoked = before?.revoked ?? {};
  return {
    active_kid: active,
    previous_active_kid: before?.active ?? null,
    kids,
    returning: kids.filter((kid) => !had.has(kid)),
    leaving: [...had].filter((kid) => !has.has(kid)),
    unrevoked: kids.filter((kid) => Object.hasOwn(revoked, kid)),
  };
}

function alreadyExists(
  path: string,
  { document, fault }: Previous,
  changes: KeystoreChanges,
): AgentError {
  const { returning, leaving, unrevoked } = changes;
  const would =
    document === null
      ? [`what is there cannot be read: ${fault ?? 'unknown'}`]
      : [
          ...inWords('would come back', returning),
          ...inWords('would be gone', leaving),
          ...inWords('would be valid again although revoked since', unrevoked),
        ];
  const what = would.length === 0 ? 'no key would come or go' : would.join('; ');
  return new AgentError(
    'already_exists',
    `${path} is there already, and nothing was changed. With --replace (replace: true) it is kept beside the ` +
      `restored one: ${what}`,
    { details: { ...changes } },
  );
}

function inWords(what: string, kids: readonly string[]): readonly string[] {
  return kids.length === 0 ? [] : [`${what}: ${kidsInWords(kids)}`];
}

/** Beyond a few, how many more. */
export function kidsInWords(kids: readonly string[]): string {
  const more = kids.length - mostNamed;
  const named = kids.slice(0, mostNamed).join(', ');
  return more > 0 ? `${named} and ${more} more` : named;
}

/** What a raw seed would be as a keystore, as far as it is compared. */
function documentOfSeed(seed: Uint8Array): Pick<Keystore, 'keys' | 'active'> {
  const id = kidOf(publicKeyOf(seed));
  return { keys: [{ id, seed_b64: '', created_at: '' }], active: id };
}

/** `NAME.json.before-restore-20260514T175500.000Z`; `now` is milliseconds since the epoch. */
function keptPath(path: string, now: number): string {
  return `${path}.before-restore-${formatTime(now).replaceAll(/[-:]/g, '')}`;
}
