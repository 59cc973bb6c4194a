import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AgentError, errnoName } from '../../../base/errors.ts';
import type { Files } from '../../../base/files.ts';
import { ensurePrivateDir } from '../../../files/checked-dir.ts';
import { fileFailure } from '../../../files/ownership.ts';

/** What the names of files end in, beside the temporary ones of a write that was cut off. */
const ending = /^[^.].*\.(pem|json|age)$/;

/**
 * The folder of one keyring: its keys, as only its TPM can use them, and what goes with them. Every write and every
 * removal is durable when it resolves. Throws and rejects with AgentErrors that name the path, as `Files`.
 */
export class KeyFolder {
  readonly path: string;
  readonly #files: Files;

  constructor(path: string, files: Files) {
    this.path = path;
    this.#files = files;
  }

  /** Makes it where it is missing, 0700, so that its name is durable too. */
  async prepare(): Promise<void> {
    const made = !this.exists();
    ensurePrivateDir(this.path);
    if (made) await syncDirectory(dirname(this.path));
  }

  exists(): boolean {
    return lstatSync(this.path, { throwIfNoEntry: false }) !== undefined;
  }

  names(): readonly string[] {
    try {
      return readdirSync(this.path).filter((name) => ending.test(name));
    } catch (failure) {
      throw fileFailure(this.path, 'list', failure);
    }
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** null where there is no such file. */
  read(name: string): Buffer | null {
    return this.#files.read(this.pathOf(name))?.bytes ?? null;
  }

  /** `already_exists` where there is one of that name: no key is ever written over. */
  async create(name: string, content: Uint8Array): Promise<void> {
    if (this.#files.identify(this.pathOf(name)) !== null) {
      throw new AgentError('already_exists', `${this.pathOf(name)} is there already`);
    }
    await this.#files.replace(this.pathOf(name), content, null);
  }

  /** In one step: a kill leaves the one before or this one. */
  async replace(name: string, content: Uint8Array): Promise<void> {
    const path = this.pathOf(name);
    await this.#files.replace(path, content, this.#files.identify(path));
  }

  /** Done too where it is gone already. */
  async remove(name: string): Promise<void> {
    const path = this.pathOf(name);
    try {
      unlinkSync(path);
    } catch (failure) {
      if (errnoName(failure) !== 'ENOENT') {
        throw fileFailure(path, 'remove', failure);
      }
    }
    await syncDirectory(this.path);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
