import { existsSync } from 'node:fs';
import type { Head } from '../../../audit/chain/verdict.ts';
import { ChainVerification } from '../../../audit/chain/verification.ts';
import { maxLineBytes, readLines, type AuditFile } from './audit-files.ts';
import { readKeySet } from './audit-keys.ts';
import { auditSource } from './audit-source.ts';
import { failureText, printVerdict, verdictDocument } from './audit-verdict.ts';
import { exitCodes, NotVerifiedError, UsageError } from '../../shell/failure.ts';
import type { OfflineOptions } from '../../offline/offline-settings.ts';
import { Output } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface AuditVerifyOptions extends OfflineOptions {
  readonly jwks?: string;
  readonly head?: string;
  readonly open?: true;
}

/** `agentctl audit verify [FILE...]`: whether the audit log's files are whole and unchanged; asks no agent. */
export async function verifyAudit(invocation: Invocation<AuditVerifyOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const given = options.head === undefined ? null : headOf(options.head);
  // Files before keys: a key is in the key file before anything is signed with it.
  const source = auditSource(args as readonly string[], options, terminal);
  const head = given ?? source.knownHead;
  const keysFrom = options.jwks ?? source.keyFile;
  if (options.jwks === undefined && !existsSync(keysFrom)) {
    throw new UsageError(`there are no keys to verify with at ${keysFrom}: give them with --jwks`);
  }
  const { keys, warnings: ofKeys } = await readKeySet(keysFrom, terminal);
  const chain = new ChainVerification({ keys, head });
  const isOpen = options.open === true || source.isBeingWritten;
  for (const file of source.files)
    await readInto(chain, file, isOpen && file === source.files.at(-1));
  const verdict = chain.finish(isOpen ? 'open' : 'final');
  const report = {
    verdict,
    keysFrom,
    isBeingWritten: source.isBeingWritten,
    warnings: [
      ...(options.jwks === undefined ? [besideTheFiles(keysFrom)] : []),
      ...ofKeys,
      ...source.warnings,
      ...verdict.warnings,
    ],
  };
  const output = new Output(terminal);
  if (globals.json) output.json(verdictDocument(report));
  else printVerdict(report, output, terminal.now());
  if (!verdict.valid) throw new NotVerifiedError(failureText(verdict));
  return exitCodes.done;
}

async function readInto(
  chain: ChainVerification,
  file: AuditFile,
  mayBeTorn: boolean,
): Promise<void> {
  chain.beginFile(file.path);
  const end = await readLines(file, (line) => {
    chain.take(line);
  });
  switch (end.end) {
    case 'whole':
    case 'left':
      return;
    case 'torn':
      chain.takeTorn(end.bytes, mayBeTorn);
      return;
    case 'too_long':
      chain.takeTooLong(maxLineBytes);
      return;
  }
}

function headOf(text: string): Head {
  const [, seq = '', hash = ''] = /^([1-9]\d{0,14}):([\da-f]{64})$/.exec(text) ?? [];
  if (hash !== '') return { seq: Number(seq), hash };
  throw new UsageError(`--head: not SEQ:HASH as audit verify prints it: ${text}`);
}

function besideTheFiles(path: string): string {
  return (
    `the keys come from ${path}, the same place as the files: who could change these could change those. Only ` +
    'keys that were kept elsewhere, given with --jwks, prove who signed'
  );
}
