import { join } from 'node:path';
import type { ChainHead } from '../audit/chain/chain.ts';
import { HeadMark, readMark } from '../audit/head-mark.ts';
import type { World } from '../base/world.ts';
import type { TransactionLedger } from '../database/database.ts';
import { openManifest, type ManifestFile } from '../files/manifest/manifest-file.ts';
import type { Forgotten, Manifest } from '../files/manifest/manifest-format.ts';
import type { KnownLog } from './configured-audit-log.ts';

/** Beside the audit log's directory, so that both do not go together. */
export function auditMarkPath(stateDir: string): string {
  return join(stateDir, 'audit.mark');
}

/** How far the log is known to go: what was noted last, or what the manifest has from before. */
export function knownHead(stateDir: string, { audit }: Manifest): ChainHead | null {
  const mark = readMark(auditMarkPath(stateDir));
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
  /** How far the log is by now; null: it has not been written. */
  #head: ChainHead | null = null;

  private constructor(stateDir: string, file: ManifestFile) {
    this.#stateDir = stateDir;
    this.#file = file;
    this.#mark = new HeadMark(auditMarkPath(stateDir));
  }

  /** Under the lock of the state dir. Rejects as `openManifest` does. */
  static async open(stateDir: string, world: World): Promise<StateManifest> {
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
    return new StateManifest(stateDir, file);
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

  /** For `openAuditLog`. Throws AgentError where the mark may not be trusted. */
  knownLog(): KnownLog {
    return {
      head: knownHead(this.#stateDir, this.current),
      notice: noticeOf(this.current.forgotten),
      mark: {
        note: (head) => {
          this.#head = head;
          this.#mark.note(head);
        },
      },
    };
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
    const head = this.#head;
    if (head === null || this.current.audit === null) return;
    await this.#file.update((before) => ({ ...before, audit: auditOf(head) }));
  }
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
