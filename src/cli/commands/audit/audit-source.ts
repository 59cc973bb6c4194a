import { dirname, join } from 'node:path';
import { AgentError, describeFailure, errnoName } from '../../../base/errors.ts';
import { lockHolder } from '../../../files/state-dir-lock.ts';
import type { Head } from '../../../audit/chain/verdict.ts';
import { knownHead } from '../../../agent/state-manifest.ts';
import { readManifest } from '../../../files/manifest/manifest-file.ts';
import { openLibc } from '../../../native/libc.ts';
import { offlineWorld } from '../../offline/offline-world.ts';
import { filesIn, namedFiles, type AuditFile } from './audit-files.ts';
import { UsageError } from '../../shell/failure.ts';
import { offlineSettings, type OfflineOptions } from '../../offline/offline-settings.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** The files that a command line means. */
export interface AuditSource {
  readonly files: readonly AuditFile[];
  /** Where the log that they are of keeps the public keys that sign it. */
  readonly keyFile: string;
  /** Whether an agent is writing them: known of its own directory alone. */
  readonly isBeingWritten: boolean;
  /** A record that was written, as the state dir knows apart from the log; null: nothing is known. */
  readonly knownHead: Head | null;
  readonly warnings: readonly string[];
}

/** `paths` empty: the log of the agent that is started with these options. */
export function auditSource(
  paths: readonly string[],
  options: OfflineOptions,
  terminal: Terminal,
): AuditSource {
  const [first] = paths;
  if (first === undefined) return ownLog(options, terminal);
  if (options.config !== undefined || options.stateDir !== undefined) {
    throw new UsageError('give files, or an agent with --state-dir or --config, not both');
  }
  return {
    files: namedFiles(paths),
    keyFile: join(dirname(first), 'jwks.json'),
    isBeingWritten: false,
    knownHead: null,
    warnings: [],
  };
}

/** An agent that starts or stops while the files are looked at counts as one that runs. */
function ownLog(options: OfflineOptions, terminal: Terminal): AuditSource {
  const { stateDir } = offlineSettings(options, terminal);
  const dir = join(stateDir, 'audit');
  const before = isLocked(stateDir);
  // Before the files: they go on.
  const known = headOf(stateDir, terminal);
  const { files, strange } = filesIn(dir);
  const after = isLocked(stateDir);
  return {
    files,
    keyFile: join(dir, 'jwks.json'),
    isBeingWritten: before.locked || after.locked,
    knownHead: known.head,
    warnings: [
      ...strange.map((name) => `${join(dir, name)} has no name of an audit file, and is not read`),
      ...after.warnings,
      ...known.warnings,
    ],
  };
}

/** How far the log goes at least, as the manifest of the state dir and the mark beside the log say. */
function headOf(
  stateDir: string,
  terminal: Terminal,
): { readonly head: Head | null; readonly warnings: readonly string[] } {
  try {
    const { manifest } = readManifest(stateDir, offlineWorld(terminal, openLibc()).files);
    return { head: manifest === null ? null : knownHead(stateDir, manifest), warnings: [] };
  } catch (failure) {
    if (!(failure instanceof AgentError)) throw failure;
    const warning = `how far the log must go is not known: ${describeFailure(failure)}`;
    return { head: null, warnings: [warning] };
  }
}

function isLocked(stateDir: string): {
  readonly locked: boolean;
  readonly warnings: readonly string[];
} {
  try {
    return { locked: lockHolder(stateDir).held, warnings: [] };
  } catch (failure) {
    if (!(failure instanceof AgentError) && errnoName(failure) === null) throw failure;
    const why = describeFailure(failure);
    const warning = `whether an agent runs is not known, and none is taken for running: ${why}`;
    return { locked: false, warnings: [warning] };
  }
}
