import { join } from 'node:path';
import { AgentError } from '../../base/errors.ts';
import type { Files } from '../../base/files.ts';
import { forgetCommand } from '../../base/forget-command.ts';
import { Turns } from '../../base/turns.ts';
import type { World } from '../../base/world.ts';
import { ensurePrivateDir } from '../checked-dir.ts';
import { copiesDir } from '../second-copy.ts';
import { emptyManifest, manifestText, parseManifest, type Manifest } from './manifest-format.ts';

/** Both places of the manifest, the one that is written first at the head. */
export function manifestPaths(stateDir: string): readonly [string, string] {
  return [join(stateDir, 'manifest.json'), join(copiesDir(stateDir), 'manifest.json')];
}

interface Place {
  readonly path: string;
  /** null where there is no file. */
  readonly identity: string | null;
  readonly manifest: Manifest | null;
  /** Why what is there cannot be used, as the end of a sentence about it; null where it can, or nothing is there. */
  readonly fault: string | null;
}

export interface FoundManifest {
  /** null: neither place has anything. */
  readonly manifest: Manifest | null;
  /** A sentence for each place that has not what the other one has. */
  readonly faults: readonly string[];
}

/**
 * Reads both copies; changes nothing. Throws `backend_unavailable` where what is there cannot tell what the state
 * dir has: both are damaged, a newer version's, or of two different agents.
 */
export function readManifest(stateDir: string, files: Files): FoundManifest {
  const { manifest, places } = readPlaces(stateDir, files);
  return { manifest, faults: manifest === null ? [] : faultsOf(places, manifest) };
}

/** The manifest of a state dir, in both its places. One process at a time: whoever holds the state dir's lock. */
export class ManifestFile {
  readonly #stateDir: string;
  readonly #files: Files;
  readonly #turns = new Turns();
  #manifest: Manifest;
  #identities: readonly (string | null)[];

  /** Opened by `openManifest`. */
  constructor(
    stateDir: string,
    files: Files,
    manifest: Manifest,
    identities: readonly (string | null)[],
  ) {
    this.#stateDir = stateDir;
    this.#files = files;
    this.#manifest = manifest;
    this.#identities = identities;
  }

  /** The newest version that is on disk in one place at least. */
  get current(): Manifest {
    return this.#manifest;
  }

  /**
   * Writes what `next` makes of the manifest, in both places, one change at a time; durable when it resolves. Does
   * nothing where `next` answers what it was given. Rejects as `Files.replace` does; then the next change writes
   * whatever this one could not.
   */
  update(next: (before: Manifest) => Manifest): Promise<void> {
    return this.#turns.take('write', async () => {
      const before = this.#manifest;
      const changed = next(before);
      if (changed === before) return;
      await this.#write({ ...changed, serial: before.serial + 1 });
    });
  }

  async #write(manifest: Manifest): Promise<void> {
    const bytes = Buffer.from(manifestText(manifest), 'utf8');
    const identities = [...this.#identities];
    for (const [at, path] of manifestPaths(this.#stateDir).entries()) {
      identities[at] = await this.#files.replace(path, bytes, identities[at] ?? null);
      this.#identities = [...identities];
      this.#manifest = manifest;
    }
  }
}

export interface OpenedManifest {
  readonly file: ManifestFile;
  /** There was none: this state dir is new, or an older version of this program wrote it. */
  readonly isNew: boolean;
  /** What was wrong with one of the two copies, a sentence each; both are right by now. */
  readonly repaired: readonly string[];
}

/** Opens the manifest to be written on, and makes both copies equal. Throws as `readManifest` and `Files.replace` do. */
export async function openManifest(
  stateDir: string,
  { files, randomBytes }: Pick<World, 'files' | 'randomBytes'>,
): Promise<OpenedManifest> {
  ensurePrivateDir(copiesDir(stateDir));
  const { manifest, places } = readPlaces(stateDir, files);
  const identities = places.map(({ identity }) => identity);
  if (manifest === null) {
    const fresh = emptyManifest(randomBytes(16).toString('hex'));
    return {
      file: new ManifestFile(stateDir, files, fresh, identities),
      isNew: true,
      repaired: [],
    };
  }
  const file = new ManifestFile(stateDir, files, manifest, identities);
  const repaired = faultsOf(places, manifest);
  if (repaired.length > 0) await file.update((before) => ({ ...before }));
  return { file, isNew: false, repaired };
}

function readPlaces(
  stateDir: string,
  files: Files,
): { readonly manifest: Manifest | null; readonly places: readonly Place[] } {
  const places = manifestPaths(stateDir).map((path) => readPlace(path, files));
  const [one, other] = places.flatMap(({ manifest }) => manifest ?? []);
  if (one === undefined) {
    const faults = places.flatMap(({ path, fault }) => (fault === null ? [] : `${path} ${fault}`));
    if (faults.length === 0) return { manifest: null, places };
    throw new AgentError(
      'backend_unavailable',
      `${faults.join('; ')}. Nothing else says what this state dir must have. Put one of the two back from a copy, ` +
        'or, where all of its files are as they should be, have them written down anew with: ' +
        forgetCommand('manifest'),
    );
  }
  if (other !== undefined && other.stateId !== one.stateId) {
    const [path, copy] = manifestPaths(stateDir);
    throw new AgentError(
      'backend_unavailable',
      `${path} and ${copy} are of two different agents: put back the one that belongs to this state dir, and move ` +
        'the other one away',
    );
  }
  const manifest = other !== undefined && other.serial > one.serial ? other : one;
  return { manifest, places };
}

function readPlace(path: string, files: Files): Place {
  const content = files.read(path);
  if (content === null) return { path, identity: null, manifest: null, fault: null };
  const { identity, bytes } = content;
  const read = parseManifest(bytes);
  if ('manifest' in read) return { path, identity, manifest: read.manifest, fault: null };
  // What a newer version wrote is whole: writing over it would lose what only that one knows.
  if (read.isNewer) throw new AgentError('backend_unavailable', `${path} ${read.fault}`);
  return { path, identity, manifest: null, fault: read.fault };
}

function faultsOf(places: readonly Place[], newest: Manifest): readonly string[] {
  return places.flatMap(({ path, manifest, fault }) => {
    if (fault !== null) return `${path} ${fault}`;
    if (manifest === null) return `${path} is gone`;
    return manifest.serial < newest.serial ? `${path} is older than the other copy` : [];
  });
}
