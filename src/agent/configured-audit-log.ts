import { join } from 'node:path';
import type { AuditSettings } from '../config/settings.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { World } from '../base/world.ts';
import { AppendFile } from '../audit/append-file.ts';
import { AuditLog } from '../audit/audit-log.ts';
import type { ChainHead } from '../audit/chain/chain.ts';
import type { HeadMark } from '../audit/head-mark.ts';
import { describeFailure } from '../base/errors.ts';
import { ChainWriter } from '../audit/chain-writer.ts';
import { examineLog, fileName } from '../audit/log-directory.ts';
import type { Libc } from '../native/libc.ts';
import { RecordSigner } from '../audit/record-signer.ts';

/** What is known of the log from outside its directory. */
export interface KnownLog {
  /** A record that was written; null: none is known of. */
  readonly head: ChainHead | null;
  /** Told, a sentence, by the first record of this life of the agent; null: nothing is to be told. */
  readonly notice: string | null;
  /** Of the second copy of the log's JWK Set. */
  readonly jwksCopyPath: string;
  /** See `HeadMark`. */
  readonly mark: Pick<HeadMark, 'note'>;
}

/**
 * Opens the audit log, or begins it; nothing is written yet. `keyring` says whose active key signs the log's own
 * records, and throws while there is none. Throws AgentError naming what is there and is not a log in order, or not
 * all of what was written.
 */
export function openAuditLog(
  { dir, fsync: durable, maxFileBytes }: AuditSettings,
  keyring: () => Keyring,
  world: World,
  known: KnownLog,
  { allocate }: Pick<Libc, 'allocate'>,
): AuditLog {
  const { head, number, size, isClosed, needsHead, torn } = examineLog(dir, known.head);
  const signer = new RecordSigner({ keyring, dir, copyPath: known.jwksCopyPath, world });
  signer.checkPublished();
  const writer = new ChainWriter({
    head,
    number: isClosed ? number + 1 : number,
    needsHead: isClosed || needsHead,
    maxFileBytes,
    openFile: (name, isFirst) => {
      const goesOn = isFirst && !isClosed;
      const replacesRest = goesOn && torn !== null;
      const path = join(dir, fileName(name));
      return new AppendFile(path, { size: goesOn ? size : 0, durable, replacesRest, allocate });
    },
    signer,
    written: (last) => {
      noteHead(known.mark, last, world);
    },
    now: world.now,
  });
  const tear =
    torn === null ? null : `${torn.bytes} bytes of a torn last line, SHA-256 ${torn.sha256}`;
  if (tear !== null) world.log.warn({ file: writer.path, repaired: tear }, 'the audit log is torn');
  const repaired = [tear, known.notice].filter((text) => text !== null).join('; ');
  return new AuditLog({
    dir,
    durable,
    repaired: repaired === '' ? null : repaired,
    writer,
    signer,
    world,
  });
}

/** The records are on disk already: that the mark cannot follow is no reason to refuse what they are of. */
function noteHead(mark: KnownLog['mark'], head: ChainHead, { log }: World): void {
  try {
    mark.note(head);
  } catch (failure) {
    log.error(
      { reason: describeFailure(failure) },
      'how far the audit log goes could not be noted: a log that is cut off may be missed after a kill',
    );
  }
}
