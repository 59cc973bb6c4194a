import { dirname, join } from 'node:path';
import type { ApiKeyStore } from './api-keys.ts';
import { noEntries, parseApiKeys, printApiKeys, type ApiKeysDocument } from './api-keys-format.ts';
import type { Libc } from '../native/libc.ts';
import { Turns } from '../base/turns.ts';
import type { World } from '../base/world.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { underFileLock } from '../files/file-lock.ts';
import type { FileContent, Files } from '../base/files.ts';
import { refusal } from '../files/ownership.ts';

export interface ApiKeysFileParts {
  readonly libc: Pick<Libc, 'tryLock'>;
  readonly world: Pick<World, 'monotonicNow' | 'pause' | 'randomBytes' | 'files'>;
}

/** `api-keys.json` of a state dir. Writers of all processes take turns by the lock of the file beside it. */
export class ApiKeysFile implements ApiKeyStore {
  readonly path: string;
  readonly #parts: ApiKeysFileParts;
  readonly #turns = new Turns();

  constructor(stateDir: string, parts: ApiKeysFileParts) {
    this.path = join(stateDir, 'api-keys.json');
    this.#parts = parts;
  }

  load(): ApiKeysDocument {
    return readApiKeysFile(this.path, this.#parts.world.files).document;
  }

  /** As ApiKeyStore has it. Rejects with `conflict` too where somebody writes the file without the lock. */
  change<T>(
    edit: (before: ApiKeysDocument) => { readonly document: ApiKeysDocument; readonly result: T },
    saved: (document: ApiKeysDocument) => void,
  ): Promise<T> {
    const { files } = this.#parts.world;
    return this.#turns.take(this.path, async () => {
      ensurePrivateDir(dirname(this.path));
      return underFileLock(`${this.path}.lock`, this.#parts, async () => {
        const before = readApiKeysFile(this.path, files);
        const { document, result } = edit(before.document);
        await files.replace(this.path, Buffer.from(printApiKeys(document)), before.identity);
        saved(document);
        return result;
      });
    });
  }
}

/** Throws as `parseApiKeys` and `Files.read` do. `identity` null: there is no file. */
export function readApiKeysFile(
  path: string,
  files: Files,
): { readonly document: ApiKeysDocument; readonly identity: string | null } {
  const content = files.read(path);
  if (content === null) return { document: noEntries, identity: null };
  return { document: parseApiKeys(textOf(path, content), path), identity: content.identity };
}

function textOf(path: string, { bytes }: FileContent): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refusal(path, 'is refused: it is not UTF-8. Correct it, or put it back from a copy');
  }
}
