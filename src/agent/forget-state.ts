import { renameSync } from 'node:fs';
import { AgentError, quoted } from '../base/errors.ts';
import type { StatePart } from '../base/forget-command.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { World } from '../base/world.ts';
import type { Settings } from '../config/settings.ts';
import { fileFailure, lstatOrNull } from '../files/ownership.ts';
import { manifestPaths, readManifest } from '../files/manifest/manifest-file.ts';
import { emptyManifest, type Manifest } from '../files/manifest/manifest-format.ts';
import { secondCopyPath } from '../files/second-copy.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { lockStateDir } from '../files/state-dir-lock.ts';
import type { Libc } from '../native/libc.ts';
import { StateManifest } from './state-manifest.ts';

export interface ForgetWish {
  readonly part: StatePart;
  /** Of the part `keyring`. */
  readonly keyring: string;
  /** Without, nothing is changed. */
  readonly applies: boolean;
}

export interface ForgetReport {
  readonly part: StatePart;
  /** null for a part that is no keyring. */
  readonly keyring: string | null;
  /** What this state dir was known to have of it, for people; null: nothing, so there is nothing to give up. */
  readonly known: string | null;
  /** Files and folders that are put aside, from → to. */
  readonly aside: readonly { readonly from: string; readonly to: string }[];
  readonly applied: boolean;
}

interface Part {
  /** null: nothing. */
  readonly known: (manifest: Manifest, keyring: string) => string | null;
  /** Of what is left of it, and would be in the way. */
  readonly paths: (settings: Settings, keyring: string) => readonly string[];
  readonly without: (manifest: Manifest, keyring: string) => Manifest;
}

const parts: Readonly<Record<StatePart, Part>> = {
  keyring: {
    known: ({ keyrings }, name) => {
      const entry = keyrings.get(name);
      if (entry === undefined) return null;
      return `keyring ${name} in ${entry.location}, with key(s) ${entry.kids.join(', ')}`;
    },
    // The file itself stays: it may be another's, which is taken over knowingly.
    paths: ({ stateDir }, name) => [secondCopyPath(stateDir, name)],
    without: (before, name) => ({
      ...before,
      keyrings: new Map([...before.keyrings].filter(([one]) => one !== name)),
    }),
  },
  database: {
    known: ({ database }) =>
      database === null ? null : `agent.db, with ${database.serial} transaction(s)`,
    paths: () => [],
    without: (before) => ({ ...before, database: null }),
  },
  audit: {
    known: ({ audit }) => (audit === null ? null : `an audit log with ${audit.seq} record(s)`),
    paths: ({ audit }) => (audit === null ? [] : [audit.dir]),
    without: (before) => ({ ...before, audit: null }),
  },
  'api-keys': {
    known: ({ apiKeys }) => (apiKeys?.isThere === true ? 'api-keys.json' : null),
    paths: () => [],
    // What was revoked stays revoked, also where an older copy turns up.
    without: (before) =>
      before.apiKeys === null
        ? before
        : { ...before, apiKeys: { ...before.apiKeys, isThere: false } },
  },
  manifest: {
    known: () => 'both manifests',
    paths: ({ stateDir }) => manifestPaths(stateDir),
    without: (before) => before,
  },
};

/**
 * Gives up a part of the state dir knowingly: it is missed no more, and the next record of the audit log says so. What is
 * left of it is put aside, never removed. Keeps agents away meanwhile: throws AlreadyRunningError where one runs;
 * `not_found` where nothing is known of that part; and as `readManifest` does.
 */
export async function forgetState(
  { part, keyring, applies }: ForgetWish,
  { settings, world, libc }: { settings: Settings; world: World; libc: Libc },
): Promise<ForgetReport> {
  const { stateDir } = settings;
  ensurePrivateDir(stateDir);
  const lock = lockStateDir(stateDir, libc);
  try {
    const { known: knownOf, paths, without } = parts[part];
    const manifest = part === 'manifest' ? null : readManifest(stateDir, world.files).manifest;
    const known = knownOf(manifest ?? emptyManifest(''), keyring);
    if (known === null) {
      const what = part === 'keyring' ? `keyring ${quoted(keyring)}` : part;
      throw new AgentError(
        'not_found',
        `the manifest of ${stateDir} knows of no ${what}: there is nothing to give up`,
      );
    }
    const time = formatTime(world.now()).replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
    const aside = paths(settings, keyring)
      .filter((path) => lstatOrNull(path) !== null)
      .map((from) => ({ from, to: `${from}.given-up-${time}` }));
    const name = part === 'keyring' ? keyring : null;
    const report = { part, keyring: name, known, aside, applied: applies };
    if (!applies) return report;
    // First put aside: where the manifest could not be written after it, the part is missed as before.
    for (const { from, to } of aside) putAside(from, to);
    const opened = await StateManifest.open(stateDir, world);
    await opened.forget({ part, name, at: formatTime(world.now()) }, (before) =>
      without(before, keyring),
    );
    await opened.close();
    return report;
  } finally {
    lock.release();
  }
}

function putAside(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (failure) {
    throw fileFailure(from, 'put aside', failure);
  }
}
