import { refuseCaByAnotherName } from '../../config/ca-clash.ts';
import { libraryParameters } from '../../config/library-parameters.ts';
import { ConfigError } from '../../config/load.ts';
import { readConfig } from '../../config/read.ts';
import { resolveSettings, type Settings } from '../../config/settings.ts';
import { effectiveUid } from '../../files/ownership.ts';
import { UsageError } from '../shell/failure.ts';
import type { GlobalOptions, Terminal } from '../shell/terminal.ts';

/** What the agent is started with, said once more to a command that works on its files. */
export interface OfflineOptions {
  readonly config?: string;
  readonly stateDir?: string;
}

/** The settings of the agent that is started with these; UsageError where it would refuse them. */
export function offlineSettings(
  { config: file, stateDir }: OfflineOptions,
  terminal: Terminal,
): Settings {
  const uid = effectiveUid();
  try {
    const flags = stateDir === undefined ? {} : { stateDir };
    const settings = resolveSettings(readConfig(file, uid), flags, {
      env: terminal.env,
      uid,
      cwd: process.cwd(),
      file: file ?? 'configuration',
      processors: 1, // nothing here makes many signatures
    });
    refuseCaByAnotherName(settings);
    libraryParameters(settings.keyrings);
    return settings;
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    throw new UsageError(failure.message, { cause: failure });
  }
}

/** Where the agent is configured to listen, unless a socket is named; empty: where it listens by default. */
export function agentSocket(
  { socket }: Pick<GlobalOptions, 'socket'>,
  options: OfflineOptions,
  terminal: Terminal,
): { readonly socket?: string } {
  const named = socket ?? terminal.env['SIGNING_AGENT_SOCK'];
  if (named !== undefined && named !== '') return { socket: named };
  if (options.config === undefined && options.stateDir === undefined) return {};
  return { socket: offlineSettings(options, terminal).socket.path };
}
