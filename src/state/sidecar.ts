import { AgentError } from '../errors.ts';
import type { KeyringState } from '../keyring/lifecycle.ts';
import type { Records } from '../keyring/reconcile.ts';
import { repairCommand } from '../keyring/repair-command.ts';
import { formatTime } from '../rfc3339.ts';
import type { FileContent, Files } from './files.ts';
import { ParsedFile } from './parsed-file.ts';
import { parseSidecar, sidecarText, type SidecarOwner } from './sidecar-format.ts';
import { describeProblem } from './state-format.ts';
import type { StateStore, Versioned } from './state-store.ts';

/** A sidecar as it was found, for its repair. */
export interface ExaminedSidecar {
  readonly records: Records;
  /** null where there is no file. */
  readonly content: FileContent | null;
}

/** The key records of a token's keyring, in a JSON file beside it. */
export class Sidecar implements StateStore {
  readonly location: string;
  readonly #owner: SidecarOwner;
  readonly #files: Files;
  readonly #file: ParsedFile<Versioned>;

  constructor(path: string, owner: SidecarOwner, files: Files) {
    this.location = path;
    this.#owner = owner;
    this.#files = files;
    this.#file = new ParsedFile(path, files, ({ bytes, identity }) => ({
      state: this.#parseOrRefuse(bytes),
      version: identity,
    }));
  }

  current(): Versioned | null {
    return this.#file.current();
  }

  async save(state: KeyringState, expected: string | null): Promise<Versioned> {
    const bytes = Buffer.from(sidecarText(state, this.#owner), 'utf8');
    return this.#file.replace(bytes, expected, (version) => ({ state, version }));
  }

  /** What is there, broken or not. A file that may not be trusted (owner, mode, link) is refused as ever. */
  examine(): ExaminedSidecar {
    const content = this.#files.read(this.location);
    if (content === null) return { records: { found: 'missing' }, content };
    try {
      return { records: { found: 'readable', state: this.#parse(content.bytes) }, content };
    } catch (failure) {
      return { records: { found: 'broken', reason: describeProblem(failure) }, content };
    }
  }

  /**
   * Saves in the place of what was examined, once that is kept in a file beside it; answers the path of this
   * copy, null where there was nothing to keep. `conflict` where the sidecar is another one by now.
   */
  async replaceExamined(
    state: KeyringState,
    { content }: ExaminedSidecar,
    now: number,
  ): Promise<string | null> {
    const copy = content === null ? null : copyPath(this.location, now);
    if (content !== null && copy !== null) await this.#files.replace(copy, content.bytes, null);
    await this.save(state, content?.identity ?? null);
    return copy;
  }

  #parseOrRefuse(bytes: Buffer): KeyringState {
    try {
      return this.#parse(bytes);
    } catch (failure) {
      throw new AgentError(
        'backend_unavailable',
        `${this.location} is not the sidecar of keyring ${this.#owner.keyring}: ` +
          `${describeProblem(failure)}. It was left alone: put it back from a copy, or rebuild it from ` +
          `the token with: ${repairCommand(this.#owner.keyring)}`,
      );
    }
  }

  /** Throws a ZodError or an Error with the reason. */
  #parse(bytes: Buffer): KeyringState {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return parseSidecar(text, this.#owner);
  }
}

/** `NAME.json.before-reconcile-20260514T175500Z` */
function copyPath(location: string, now: number): string {
  const time = formatTime(now).replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return `${location}.before-reconcile-${time}`;
}
