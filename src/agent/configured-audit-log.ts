import { join } from 'node:path';
import type { AuditSettings } from '../config/settings.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { World } from '../base/world.ts';
import { AppendFile } from '../audit/append-file.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { ChainWriter } from '../audit/chain-writer.ts';
import { examineLog, fileName } from '../audit/log-directory.ts';
import { RecordSigner } from '../audit/record-signer.ts';

/**
 * Opens the audit log, or begins it; nothing is written yet. `keyring` says whose active key signs the log's own
 * records, and throws while there is none. Throws AgentError naming what is there and is not a log in order.
 */
export function openAuditLog(
  { dir, fsync: durable, maxFileBytes }: AuditSettings,
  keyring: () => Keyring,
  world: World,
): AuditLog {
  const { head, number, size, isClosed, needsHead, torn } = examineLog(dir);
  const signer = new RecordSigner({ keyring, dir, world });
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
      return new AppendFile(path, { size: goesOn ? size : 0, durable, replacesRest });
    },
    signer,
    now: world.now,
  });
  const repaired =
    torn === null ? null : `${torn.bytes} bytes of a torn last line, SHA-256 ${torn.sha256}`;
  if (repaired !== null) world.log.warn({ file: writer.path, repaired }, 'the audit log is torn');
  return new AuditLog({ dir, durable, repaired, writer, signer, world });
}
