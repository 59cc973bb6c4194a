import { createHash } from 'node:crypto';
import { sized } from '../../formats/tpm/bytes.ts';
import { CC } from '../../formats/tpm/constants.ts';
import { isFull } from '../../formats/tpm/response-codes.ts';
import { nameOf } from '../../formats/tpm/public-area.ts';
import { flush } from './sessions.ts';
import type { Authorization, NamedHandle, Tpm } from './tpm.ts';
import { TpmError, TpmForged } from './tpm-error.ts';

/** What objects are loaded through: the storage root that they are under, and who speaks for it. */
export interface LoadingConnection {
  readonly root: NamedHandle;
  authorized(): Authorization;
}

/** An object as it is kept outside of the TPM. */
export interface Blob {
  /** TPMT_PUBLIC */
  readonly public: Uint8Array;
  /** The content of the TPM2B_PRIVATE. */
  readonly private: Uint8Array;
}

/**
 * Loaded at a time. A TPM has room for three at least (TPM_PT_HR_TRANSIENT_MIN), and the kernel's resource manager
 * for three a connection; one of them may be the storage root key.
 */
const mostLoaded = 2;

/** One key with two authorisation values, as two keyrings may have it, has one name and two private parts. */
function idOf({ private: privatePart }: Blob, name: Buffer): string {
  return createHash('sha256').update(name).update(privatePart).digest('hex');
}

/** The objects that are loaded in one TPM for this process, the least recently used of which makes room for another. */
export class LoadedObjects {
  readonly #tpm: Tpm;
  /** By `idOf`, in the order of their last use. */
  readonly #loaded = new Map<string, NamedHandle>();

  constructor(tpm: Tpm) {
    this.#tpm = tpm;
  }

  /** Under the storage root of that connection. Stays loaded until the next two calls, or until `unload`. */
  async load(connection: LoadingConnection, blob: Blob): Promise<NamedHandle> {
    const name = nameOf(blob.public);
    const id = idOf(blob, name);
    const known = this.#loaded.get(id);
    if (known !== undefined) {
      this.#loaded.delete(id);
      this.#loaded.set(id, known);
      return known;
    }
    while (this.#loaded.size >= mostLoaded) await this.#unloadOldest();
    const handle = await this.withRoom(() => this.#load(connection, blob, name));
    this.#loaded.set(id, handle);
    return handle;
  }

  async unload({ handle }: NamedHandle): Promise<void> {
    for (const [id, loaded] of this.#loaded) {
      if (loaded.handle === handle) this.#loaded.delete(id);
    }
    await flush(this.#tpm, handle);
  }

  async flush(): Promise<void> {
    while (this.#loaded.size > 0) await this.#unloadOldest();
  }

  /** `work`, once more with nothing loaded where the TPM has no room for what it needs, and so did nothing. */
  async withRoom<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (failure) {
      if (!(failure instanceof TpmError && isFull(failure.code)) || this.#loaded.size === 0) {
        throw failure;
      }
      await this.flush();
      return work();
    }
  }

  async #load(connection: LoadingConnection, blob: Blob, name: Buffer): Promise<NamedHandle> {
    const { handle, parameters } = await this.#tpm.run(
      {
        code: CC.Load,
        handles: [connection.root],
        parameters: Buffer.concat([sized(blob.private), sized(blob.public)]),
        answersHandle: true,
      },
      [connection.authorized()],
    );
    if (name.equals(parameters.sized())) return { handle, name };
    throw new TpmForged('it loaded another object than it was given');
  }

  async #unloadOldest(): Promise<void> {
    const [oldest] = this.#loaded.values();
    if (oldest !== undefined) await this.unload(oldest);
  }
}
