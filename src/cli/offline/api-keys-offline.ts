import { ApiKeys } from '../../access/api-keys.ts';
import type { Settings } from '../../config/settings.ts';
import { openLibc } from '../../native/libc.ts';
import { machineFingerprint } from '../../native/machine.ts';
import { ApiKeysFile, type ApiKeysLedger } from '../../access/api-keys-file.ts';
import { withOfflineState } from '../../agent/offline-state.ts';
import { lockHolder } from '../../files/state-dir-lock.ts';
import { CommandError } from '../shell/failure.ts';
import { offlineSettings, type OfflineOptions } from './offline-settings.ts';
import { offlineWorld } from './offline-world.ts';
import { escapeControls } from '../shell/text.ts';
import type { Terminal } from '../shell/terminal.ts';

export interface OfflineApiKeys {
  readonly options: OfflineOptions;
  readonly terminal: Terminal;
  /** Why no agent was asked, for people. */
  readonly why: string;
}

/**
 * Works on the API keys file of a state dir that no agent runs on, and says so on stderr. Rejects as `work` does, with
 * CommandError where an agent has the state dir though none answered.
 */
export async function withApiKeysFile<T>(
  { options, terminal, why }: OfflineApiKeys,
  work: (apiKeys: ApiKeys) => Promise<T>,
): Promise<T> {
  const settings = offlineSettings(options, terminal);
  const running = runningAgent(settings);
  if (running !== null) throw new CommandError(`${why}; but ${running}`);
  const libc = openLibc();
  const { stateDir } = settings;
  const world = offlineWorld(terminal, libc);
  return withOfflineState({ stateDir, world, libc }, async (manifest) => {
    const { file, apiKeys } = apiKeysOf(settings, manifest.apiKeys, terminal);
    terminal.stderr.write(
      `agentctl: no agent answers: working on ${escapeControls(file.path)} itself\n`,
    );
    return work(apiKeys);
  });
}

/** The administration of API keys on the file itself. */
export function apiKeysOf(
  { stateDir, keyrings }: Settings,
  ledger: ApiKeysLedger,
  terminal: Terminal,
): { readonly file: ApiKeysFile; readonly apiKeys: ApiKeys } {
  const libc = openLibc();
  const world = offlineWorld(terminal, libc);
  const file = new ApiKeysFile(stateDir, { libc, world, ledger });
  const apiKeys = new ApiKeys({
    store: file,
    accounts: libc,
    keyrings: new Map(keyrings.map(({ name, purposes }) => [name, purposes])),
    machine: machineFingerprint(),
    uses: { since: null, lastUsed: () => null },
    changed: () => undefined, // nobody goes by them here
    world,
  });
  return { file, apiKeys };
}

/** The agent that has the state dir, with the remedy; null where none has. */
export function runningAgent({ stateDir, socket }: Settings): string | null {
  const { held, pid } = lockHolder(stateDir);
  if (!held) return null;
  const who = pid === null ? 'a process' : `process ${pid}`;
  return (
    `${who} runs an agent on ${stateDir}: name its socket with --socket (${socket.path} by this configuration), ` +
    'or stop it'
  );
}
