import { dirname } from 'node:path';
import { AgentError, describeFailure } from '../../base/errors.ts';
import { ensurePrivateDir } from '../../files/checked-dir.ts';
import type { KeyringState } from '../../vault/key-records.ts';
import type {
  ExaminedRecords,
  LookedAt,
  RecordsOwner,
  RecordStore,
  RepairWorld,
  StorePlace,
} from '../record-store.ts';
import { acceptCommand, repairCommand } from '../repair-command.ts';
import type { RollbackProtection } from '../../api/signing-backend.ts';
import type { Seal, SealStore } from '../../vault/vault.ts';
import { copyPath, examined, type FoundSidecar } from './examined-sidecar.ts';
import type { Files } from '../../base/files.ts';
import { ParsedFile } from '../../files/parsed-file.ts';
import { SealKeeper } from '../seal/seal-keeper.ts';
import { describeFault, sealFault, type SealFault } from '../seal/seal.ts';
import {
  isKeystore,
  newerVersion,
  parseSidecar,
  sidecarText,
  type ParsedSidecar,
} from './sidecar-format.ts';
import { describeProblem } from '../../files/document-fields.ts';
import type { OpenedRecords, SealWorld, Versioned } from '../../vault/state-store.ts';

interface Loaded extends Versioned {
  readonly sealed: boolean;
}

/** The key records of a token's keyring, in a JSON file beside it, sealed where the token keeps a seal. */
export class Sidecar implements RecordStore {
  readonly noun = 'sidecar';
  readonly location: string;
  readonly #copyPath: string;
  readonly #owner: RecordsOwner;
  readonly #files: Files;
  readonly #requireSeal: boolean;
  readonly #file: ParsedFile<Loaded>;
  #seals: SealStore | null = null;
  #log: SealWorld['log'] | null = null;
  /** null where the token keeps no seal. */
  #keeper: SealKeeper | null = null;
  #lastSave: Promise<unknown> = Promise.resolve();

  constructor({ path, copyPath, requireSeal }: StorePlace, owner: RecordsOwner, files: Files) {
    this.location = path;
    this.#copyPath = copyPath;
    this.#requireSeal = requireSeal;
    this.#owner = owner;
    this.#files = files;
    this.#file = new ParsedFile(path, files, ({ bytes, identity }) => {
      const parsed = this.#parseOrRefuse(bytes);
      const fault = this.#keeper === null ? sealFault(parsed, null) : this.#keeper.check(parsed);
      if (fault !== null) throw this.#refusal(fault);
      return { state: parsed.state, version: identity, sealed: parsed.seal !== null };
    });
  }

  get rollbackProtection(): RollbackProtection {
    return this.#keeper === null ? 'none' : 'token';
  }

  async open(seals: SealStore | null, { log }: SealWorld): Promise<OpenedRecords> {
    const token = await readSeal(seals);
    const content = this.#files.read(this.location);
    const found = content === null ? null : this.#parseOrRefuse(content.bytes);
    const fault = found === null ? null : sealFault(found, token);
    if (fault !== null) throw this.#refusal(fault);
    this.#seals = seals;
    this.#log = log;
    if (seals === null || token === null) return { provedNewest: false };
    this.#keeper = new SealKeeper(seals, token, log);
    const counter = found?.seal?.counter ?? null;
    if (counter !== null && counter > token.counter) await this.#keeper.raise(counter);
    return { provedNewest: counter !== null };
  }

  async seal(world: SealWorld): Promise<void> {
    if (this.#keeper === null && this.#seals !== null) {
      this.#keeper = await SealKeeper.begin(this.#seals, world);
    }
    if (this.#keeper === null && this.#requireSeal) {
      throw new AgentError(
        'not_supported',
        `keyring ${this.#owner.keyring}: require_seal is set, and its token keeps no seal: an older copy of ` +
          `${this.location} that is put back would not be noticed. Take a token that keeps private data objects, or ` +
          'set require_seal = false',
      );
    }
    const found = this.#file.current();
    if (this.#keeper === null || found === null || found.sealed) return;
    await this.save(found.state, found.version);
  }

  current(): Versioned | null {
    return this.#file.current();
  }

  /** One at a time, so that the token's counter never falls behind one that was written before. */
  save(state: KeyringState, expected: string | null): Promise<Versioned> {
    const saved = this.#lastSave.then(() => this.#save(state, expected));
    this.#lastSave = saved.catch(() => null); // its caller hears of it
    return saved;
  }

  async look(): Promise<LookedAt> {
    const { records, recordedCounter } = this.#find(null);
    return Promise.resolve({ records, counter: recordedCounter });
  }

  /** A file that may not be trusted is refused as ever. */
  async examine(seals: SealStore | null): Promise<ExaminedRecords> {
    const found = this.#findOrCopy(await readSeal(seals));
    return { ...found, replace: (state, world) => this.#replace(state, found, seals, world) };
  }

  #find(token: Seal | null): FoundSidecar {
    const there = this.#files.read(this.location);
    if (there !== null && newerVersion(there.bytes) !== null) this.#parseOrRefuse(there.bytes);
    return examined(there, token, (bytes) => this.#parse(bytes));
  }

  /** Where the file is broken or gone, its second copy stands for it. */
  #findOrCopy(token: Seal | null): FoundSidecar {
    const found = this.#find(token);
    if (found.records.found === 'readable') return found;
    const copy = examined(this.#files.read(this.#copyPath), token, (bytes) => this.#parse(bytes));
    if (copy.records.found !== 'readable') return found;
    return {
      ...copy,
      content: found.content,
      instead: { of: found.records, copy: this.#copyPath },
    };
  }

  async #replace(
    state: KeyringState,
    { content, token, provedCounter }: FoundSidecar,
    seals: SealStore | null,
    world: RepairWorld,
  ): Promise<string | null> {
    const copy = content === null ? null : copyPath(this.location, world.now());
    if (content !== null && copy !== null) await this.#files.replace(copy, content.bytes, null);
    if (seals !== null && token === null) this.#keeper = await SealKeeper.begin(seals, world);
    if (seals !== null && token !== null) {
      const counter = Math.max(token.counter, provedCounter ?? 0);
      this.#keeper = new SealKeeper(seals, { key: token.key, counter }, world.log);
    }
    await this.save(state, content?.identity ?? null);
    return copy;
  }

  async #save(state: KeyringState, expected: string | null): Promise<Versioned> {
    const seal = this.#keeper?.next() ?? null;
    const bytes = Buffer.from(sidecarText(state, this.#owner, seal), 'utf8');
    const saved = await this.#file.replace(bytes, expected, (version) => ({
      state,
      version,
      sealed: seal !== null,
    }));
    // Only now: with the token ahead, a kill in between would leave the newest records refused as an older copy.
    if (seal !== null) await this.#keeper?.raise(seal.counter);
    await this.#copy(bytes);
    return saved;
  }

  /** Never rejects: the records themselves are saved. */
  async #copy(bytes: Uint8Array): Promise<void> {
    try {
      ensurePrivateDir(dirname(this.#copyPath));
      const before = this.#files.identify(this.#copyPath);
      await this.#files.replace(this.#copyPath, bytes, before);
    } catch (failure) {
      this.#log?.error(
        { path: this.#copyPath, reason: describeFailure(failure) },
        'the second copy of the sidecar could not be written: the next change tries again',
      );
    }
  }

  #parseOrRefuse(bytes: Buffer): ParsedSidecar {
    try {
      return this.#parse(bytes);
    } catch (failure) {
      const newer = newerVersion(bytes);
      if (newer !== null) {
        throw new AgentError(
          'backend_unavailable',
          `${this.location} has version ${newer}, and this program knows version 1: it was left alone; run the newer ` +
            'signing-agent that wrote it',
        );
      }
      if (isKeystore(bytes)) {
        throw new AgentError(
          'backend_unavailable',
          `${this.location} is the keystore of a file keyring, with private keys in it: it was left alone. Give keyring ` +
            `${this.#owner.keyring} another name, or the agent another state dir`,
        );
      }
      throw new AgentError(
        'backend_unavailable',
        `${this.location} is not the sidecar of keyring ${this.#owner.keyring}: ` +
          `${describeProblem(failure)}. It was left alone: put it back from a copy, or rebuild it from ` +
          `the token with: ${repairCommand(this.#owner.keyring)}`,
      );
    }
  }

  #refusal(fault: SealFault): AgentError {
    const { keyring } = this.#owner;
    return new AgentError(
      'backend_unavailable',
      `keyring ${keyring}: ${this.location} ${describeFault(fault)}. It was left alone: put the newest file back. ` +
        'Or accept this one knowingly (what was revoked or rotated since may be undone by it) with: ' +
        acceptCommand(keyring),
    );
  }

  /** Throws a ZodError or an Error with the reason. */
  #parse(bytes: Buffer): ParsedSidecar {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return parseSidecar(text, this.#owner);
  }
}

/** null where there is none, and where the token could keep none. */
async function readSeal(seals: SealStore | null): Promise<Seal | null> {
  try {
    return seals === null ? null : await seals.read();
  } catch (failure) {
    if (failure instanceof AgentError && failure.kind === 'not_supported') return null;
    throw failure;
  }
}
