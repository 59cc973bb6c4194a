import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import type { ChainHead } from '../audit/chain/chain.ts';
import { HeadMark, readMark } from '../audit/head-mark.ts';
import type { World } from '../base/world.ts';
import type { TransactionLedger } from '../database/database.ts';
import { openManifest, type ManifestFile } from '../files/manifest/manifest-file.ts';
import type { Forgotten, KeyringEntry, Manifest } from '../files/manifest/manifest-format.ts';
import type { ApiKeysLedger } from '../access/api-keys-file.ts';
import { describeFailure } from '../base/errors.ts';
import { heldKeys, type KeyringState } from '../vault/key-records.ts';
import {
  recordsDigest,
  type NotedRecords,
  type RecordsLedger,
} from '../keyring/watch/records-ledger.ts';
import { copiesDir } from '../files/second-copy.ts';
import type { KnownLog } from './configured-audit-log.ts';

/** Beside the audit log's directory, so that both do not go together. */
function auditMarkPath(stateDir: string): string {
  return join(stateDir, 'audit.mark');
}

/** How far the log is known to go: what was noted last, or what the manifest has from before. */
export function knownHead(stateDir: string, { stateId, audit }: Manifest): ChainHead | null {
  const mark = readMark(auditMarkPath(stateDir), stateId);
  if (audit === null) return null; // given up, or none yet
  return mark !== null && mark.seq > audit.seq ? mark : audit;
}

/**
 * What this state dir has, written down as it comes to be relied on, and compared with what is there when the agent
 * starts. One place for all parts that can be lost.
 */
export class StateManifest {
  readonly #file: ManifestFile;
  readonly #stateDir: string;
  readonly #mark: HeadMark;
  readonly #log: World['log'];
  /** What is being noted in passing. */
  #noting: Promise<unknown> = Promise.resolve();
  /** How far the log is by now; null: it has not been written. */
  #head: ChainHead | null = null;

  private constructor(stateDir: string, file: ManifestFile, { log }: Pick<World, 'log'>) {
    this.#stateDir = stateDir;
    this.#file = file;
    this.#log = log;
    this.#mark = new HeadMark(auditMarkPath(stateDir), file.current.stateId);
  }

  /** Under the lock of the state dir. Rejects as `openManifest` does. */
  static async open(
    stateDir: string,
    world: Pick<World, 'files' | 'randomBytes' | 'log'>,
  ): Promise<StateManifest> {
    const { file, isNew, repaired } = await openManifest(stateDir, world);
    if (isNew)
      world.log.info(
        { state_dir: stateDir },
        'what this state dir has is written down from now on',
      );
    for (const fault of repaired) {
      world.log.warn(
        { reason: fault },
        'one of the two manifests was not right, and was made anew from the other',
      );
    }
    return new StateManifest(stateDir, file, world);
  }

  get current(): Manifest {
    return this.#file.current;
  }

  /** For `AgentDatabase`. */
  get ledger(): TransactionLedger {
    const file = this.#file;
    return {
      get expected() {
        return file.current.database?.serial ?? null;
      },
      acknowledge: (serial) =>
        file.update((before) =>
          before.database?.serial === serial ? before : { ...before, database: { serial } },
        ),
    };
  }

  /** For the key records of a keyring. */
  keyring(name: string): RecordsLedger {
    const file = this.#file;
    const note = (entry: KeyringEntry): Promise<void> =>
      file.update((before) => withKeyring(before, name, entry));
    return {
      get expected() {
        return file.current.keyrings.get(name) ?? null;
      },
      announce: (records, before) => note(entryOf(records, before)),
      settle: (records) => {
        const noted = note(entryOf(records, null)).catch((failure: unknown) => {
          this.#log.warn(
            { keyring: name, reason: describeFailure(failure) },
            'that key records were saved could not be noted yet',
          );
        });
        this.#noting = Promise.all([this.#noting, noted]);
      },
    };
  }

  /** For `api-keys.json`. */
  get apiKeys(): ApiKeysLedger {
    const file = this.#file;
    return {
      get expected() {
        return file.current.apiKeys;
      },
      note: (known) =>
        file.update((before) => {
          const apiKeys = { ...known, isThere: true };
          return isDeepStrictEqual(before.apiKeys, apiKeys) ? before : { ...before, apiKeys };
        }),
    };
  }

  /** For `openAuditLog`. Throws AgentError where the mark may not be trusted. */
  knownLog(): KnownLog {
    return {
      head: knownHead(this.#stateDir, this.current),
      jwksCopyPath: join(copiesDir(this.#stateDir), 'audit-jwks.json'),
      notice: noticeOf(this.current.forgotten),
      mark: {
        note: (head) => {
          this.#head = head;
          this.#mark.note(head);
        },
      },
    };
  }

  /** An operator gives up a part, which `without` takes out of the manifest. */
  async forget(what: Forgotten, without: (before: Manifest) => Manifest): Promise<void> {
    await this.#file.update((before) => ({
      ...without(before),
      forgotten: [...before.forgotten, what],
    }));
  }

  /** The log was begun or gone on with: from now on it is missed, and what was given up is recorded in it. */
  async logStarted(): Promise<void> {
    const head = this.#head;
    if (head === null) return;
    await this.#file.update((before) => ({ ...before, audit: auditOf(head), forgotten: [] }));
  }

  /** Last of all: the mark may be behind after a power cut, the manifest is not. */
  async close(): Promise<void> {
    this.#mark.close();
    await this.#noting;
    const head = this.#head;
    if (head === null || this.current.audit === null) return;
    await this.#file.update((before) => ({ ...before, audit: auditOf(head) }));
  }
}

/** `before`: what is there until these are saved. */
function entryOf(
  { state, location, byDigest }: NotedRecords,
  before: KeyringState | null,
): KeyringEntry {
  const states = before === null ? [state] : [before, state];
  return {
    location,
    kids: heldKeys(state).map(({ kid }) => kid),
    active: state.active,
    digests: byDigest ? [...new Set(states.map(recordsDigest))] : [],
  };
}

function withKeyring(before: Manifest, name: string, entry: KeyringEntry): Manifest {
  if (isDeepStrictEqual(before.keyrings.get(name), entry)) return before;
  return { ...before, keyrings: new Map([...before.keyrings, [name, entry]]) };
}

function auditOf({ seq, hash }: ChainHead): Manifest['audit'] {
  return { seq, hash };
}

/** A sentence for the audit record; null where nothing was given up. */
function noticeOf(forgotten: readonly Forgotten[]): string | null {
  if (forgotten.length === 0) return null;
  const parts = forgotten.map(
    ({ part, name, at }) => `${part}${name === null ? '' : ` ${name}`} at ${at}`,
  );
  return `given up by an operator: ${parts.join(', ')}`;
}
