import { AgentError } from '../errors.ts';
import type { KeyringState } from '../keyring/lifecycle.ts';
import type { Files } from './files.ts';
import { ParsedFile } from './parsed-file.ts';
import { parseSidecar, sidecarText, type SidecarOwner } from './sidecar-format.ts';
import { describeProblem } from './state-format.ts';
import type { StateStore, Versioned } from './state-store.ts';

/** The key records of a token's keyring, in a JSON file beside it. */
export class Sidecar implements StateStore {
  readonly location: string;
  readonly #owner: SidecarOwner;
  readonly #file: ParsedFile<Versioned>;

  constructor(path: string, owner: SidecarOwner, files: Files) {
    this.location = path;
    this.#owner = owner;
    this.#file = new ParsedFile(path, files, ({ bytes, identity }) => ({
      state: this.#parse(bytes),
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

  #parse(bytes: Buffer): KeyringState {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      return parseSidecar(text, this.#owner);
    } catch (failure) {
      throw new AgentError(
        'backend_unavailable',
        `${this.location} is not the sidecar of keyring ${this.#owner.keyring}: ` +
          `${describeProblem(failure)}. It was left alone: put it back from a copy, or rebuild it from ` +
          `the token with: agentctl reconcile --keyring ${this.#owner.keyring}`,
      );
    }
  }
}
