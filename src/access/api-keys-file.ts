import { dirname, join } from 'node:path';
import type { ApiKeyStore } from './api-keys.ts';
import { noEntries, parseApiKeys, printApiKeys, type ApiKeysDocument } from './api-keys-format.ts';
import {
  knownAfter,
  isStranger,
  withoutWithdrawn,
  type KnownApiKeys,
} from './withdrawn-api-keys.ts';
import type { Libc } from '../native/libc.ts';
import { forgetCommand } from '../base/forget-command.ts';
import { Turns } from '../base/turns.ts';
import type { World } from '../base/world.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { underFileLock } from '../files/file-lock.ts';
import type { FileContent, Files } from '../base/files.ts';
import { refusal } from '../files/ownership.ts';

/** Where it is noted, outside the file, what was withdrawn, so that a file that is gone or older is noticed. */
export interface ApiKeysLedger {
  /** null: as far as is known, there never was a file. `isThere` false: it was given up knowingly. */
  readonly expected: (KnownApiKeys & { readonly isThere: boolean }) | null;
  /** Durable when it resolves. */
  note(known: KnownApiKeys): Promise<void>;
}

export interface ApiKeysFileParts {
  readonly libc: Pick<Libc, 'tryLock'>;
  readonly world: Pick<World, 'monotonicNow' | 'pause' | 'randomBytes' | 'files'>;
  readonly ledger: ApiKeysLedger;
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

  /** As ApiKeyStore has it; what was taken back or replaced here, and is there again, is refused by name. */
  load(): ApiKeysDocument {
    return this.#read().document;
  }

  /** Once, before anybody relies on the keys: from then on the file is missed. Rejects as `load` and the ledger do. */
  async adopt(): Promise<void> {
    const { ledger } = this.#parts;
    const { identity, document } = this.#read();
    if (identity === null) return;
    await ledger.note(knownAfter(ledger.expected, document, document));
  }

  #read(): ReadApiKeys {
    const { ledger, world } = this.#parts;
    const { expected } = ledger;
    const read = readApiKeysFile(this.path, world.files);
    if (expected === null) return read;
    if (read.identity === null && expected.isThere) {
      throw refusal(
        this.path,
        'is gone, and this agent had API keys in it: put it back from a copy; or go on without any of them knowingly: ' +
          forgetCommand('api-keys'),
      );
    }
    if (expected.isThere && isStranger(read.document, expected)) {
      throw refusal(
        this.path,
        "has none of the API keys that this agent had: it is another agent's. Put this one's back from a copy; or take " +
          `that one knowingly: ${forgetCommand('api-keys')}`,
      );
    }
    return { ...read, document: withoutWithdrawn(read.document, expected) };
  }

  /** As ApiKeyStore has it. Rejects with `conflict` too where somebody writes the file without the lock. */
  change<T>(
    edit: (before: ApiKeysDocument) => { readonly document: ApiKeysDocument; readonly result: T },
    saved: (document: ApiKeysDocument) => void,
  ): Promise<T> {
    const { ledger, world } = this.#parts;
    const { files } = world;
    return this.#turns.take(this.path, async () => {
      ensurePrivateDir(dirname(this.path));
      return underFileLock(`${this.path}.lock`, this.#parts, async () => {
        const before = this.#read();
        const { document, result } = edit(before.document);
        await files.replace(this.path, Buffer.from(printApiKeys(document)), before.identity);
        await ledger.note(knownAfter(ledger.expected, before.document, document));
        saved(document);
        return result;
      });
    });
  }
}

interface ReadApiKeys {
  readonly document: ApiKeysDocument;
  /** null: there is no file. */
  readonly identity: string | null;
}

/** Throws as `parseApiKeys` and `Files.read` do. */
export function readApiKeysFile(path: string, files: Files): ReadApiKeys {
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
