import type { FileContent, Files } from '../base/files.ts';

/** What is made of a file's content says which version of the file (Files.identify) it was made of. */
interface Parsed {
  readonly version: string;
}

/**
 * A file that is read by every operation and parsed only when it has become another one. Edits by other
 * programs are seen by the next operation: the file is looked at once for all that is handled in one go, which
 * was received before that look.
 */
export class ParsedFile<T extends Parsed> {
  readonly path: string;
  readonly #files: Files;
  readonly #parse: (content: FileContent) => T;
  #parsed: T | null = null;
  #looked = false;

  /** `parse` throws an AgentError that names the file where the content is not what it should be. */
  constructor(path: string, files: Files, parse: (content: FileContent) => T) {
    this.path = path;
    this.#files = files;
    this.#parse = parse;
  }

  /** null where there is no such file. Throws what reading and parsing throw, and tries again when asked again. */
  current(): T | null {
    if (this.#looked) return this.#parsed;
    const identity = this.#files.identify(this.path);
    if (this.#parsed === null || this.#parsed.version !== identity) {
      this.#parsed = null;
      const content = this.#files.read(this.path);
      if (content === null) return null;
      this.#parsed = this.#parse(content);
    }
    this.#looked = true;
    process.nextTick(() => {
      this.#looked = false;
    });
    return this.#parsed;
  }

  /** Replaces the file, see Files.replace. `made` is given the new version, and answers what parsing would. */
  async replace(
    bytes: Uint8Array,
    expected: string | null,
    made: (version: string) => T,
  ): Promise<T> {
    const parsed = made(await this.#files.replace(this.path, bytes, expected));
    this.#parsed = parsed;
    return parsed;
  }

  /** As `replace`, by Files.exchange: `made` is given what was there too. */
  async exchange(
    bytes: Uint8Array,
    expected: string | null,
    made: (version: string, before: Buffer | null) => T,
  ): Promise<T> {
    const { identity, before } = await this.#files.exchange(this.path, bytes, expected);
    const parsed = made(identity, before);
    this.#parsed = parsed;
    return parsed;
  }

  /** Keeps nothing of the content in memory. */
  forget(): void {
    this.#parsed = null;
  }
}
