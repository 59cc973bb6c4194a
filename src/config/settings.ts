import { dirname, join, resolve } from 'node:path';
import {
  defaultSocketPath,
  defaultStateDir,
  NoHomeError,
  type Environment,
} from '../base/default-paths.ts';
import type { AccessLimits } from '../access/access-control.ts';
import type { AccessNames } from '../access/access-rules.ts';
import type { LogLevel } from '../base/log.ts';
import { accessNames } from './access.ts';
import { refuseKeyOfCa } from './ca-clash.ts';
import {
  clusterSettings,
  keyringSettings,
  type ClusterSettings,
  type KeyringSettings,
} from './keyring-settings.ts';
import { ConfigError } from './load.ts';
import type { Config } from './schema.ts';

/** What the agent runs with: configuration, flags and environment, resolved and frozen. */
export interface Settings {
  readonly stateDir: string;
  readonly socket: SocketFileSettings & {
    readonly maxFrameBytes: number;
    readonly maxConnections: number;
    readonly maxConnectionsPerUid: number;
  };
  readonly logLevel: LogLevel;
  readonly access: AccessNames & AccessLimits;
  /** null: nothing is recorded. */
  readonly audit: AuditSettings | null;
  readonly keyrings: readonly KeyringSettings[];
  /** null: this agent has no part in a cluster. */
  readonly cluster: ClusterSettings | null;
  /** null: there is no SSH agent. */
  readonly sshAgent: SshAgentSettings | null;
}

export interface SocketFileSettings {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly group: string | null;
}

interface SshAgentSettings extends SocketFileSettings {
  /** Whose keys it has, in this order. */
  readonly keyrings: readonly string[];
}

export interface AuditSettings {
  /** A directory of its own. */
  readonly dir: string;
  /** False: an answer may leave before its record would survive a power cut. */
  readonly fsync: boolean;
  /** A file that has grown to that size is closed, and another begun. */
  readonly maxFileBytes: number;
  /** Whose active key signs what closes a file. */
  readonly keyring: string;
}

/** Command-line flags that go before the configuration. */
export interface Flags {
  readonly stateDir?: string;
  readonly socket?: string;
  readonly logLevel?: LogLevel;
}

/** Throws ConfigError. `file` is for messages; relative flags are taken from `cwd`. */
export function resolveSettings(
  config: Config,
  flags: Flags,
  world: { env: Environment; uid: number; cwd: string; file: string; processors: number },
): Settings {
  refuseTilde('--state-dir', flags.stateDir);
  refuseTilde('--socket', flags.socket);
  const stateDir =
    flags.stateDir === undefined
      ? (config.state_dir ?? usualStateDir(world))
      : resolve(world.cwd, flags.stateDir);
  const socketPath =
    flags.socket === undefined
      ? (config.socket.path ?? defaultSocketPath(world.env, world.uid, () => stateDir))
      : resolve(world.cwd, flags.socket);
  const keyrings = Object.entries(config.keyrings).map(([name, keyring]) =>
    keyringSettings(name, keyring, stateDir, world),
  );
  const cluster = clusterSettings(config, stateDir, world.file);
  refuseKeyOfCa({ keyrings, cluster, stateDir }, world.file);
  return {
    stateDir,
    socket: {
      ...socketFile(config.socket, socketPath),
      maxFrameBytes: config.socket.max_frame_bytes,
      maxConnections: config.socket.max_connections,
      maxConnectionsPerUid: config.socket.max_connections_per_uid,
    },
    logLevel: flags.logLevel ?? config.log.level,
    access: {
      ...accessNames(config.access),
      signaturesPerSecondPerUid: config.access.max_signatures_per_second_per_uid ?? null,
      signaturesPerSecondPerKey: config.access.max_signatures_per_second_per_key ?? null,
      connectionsPerKey: config.access.max_connections_per_key ?? null,
      operationsPerSecondPerUid: config.access.max_operations_per_second_per_uid ?? null,
    },
    audit: auditSettings(config, stateDir),
    keyrings,
    cluster,
    sshAgent: sshAgentSettings(config, socketPath, world.file),
  };
}

function usualStateDir({ env, uid }: { env: Environment; uid: number }): string {
  try {
    return defaultStateDir(env, uid);
  } catch (failure) {
    if (!(failure instanceof NoHomeError)) throw failure;
    throw new ConfigError(failure.message, { cause: failure });
  }
}

/** A shell replaces it, and only where a word begins with it: else a directory of that name would be made. */
function refuseTilde(flag: string, path: string | undefined): void {
  if (path === undefined || !/^~(?:\/|$)/.test(path)) return;
  throw new ConfigError(`${flag}: ${path}: no shell has replaced the ~: write the path out`);
}

function socketFile(
  { mode, group }: { readonly mode: string; readonly group?: string | undefined },
  path: string,
): SocketFileSettings {
  return { path, mode: Number.parseInt(mode, 8), group: group ?? null };
}

/** Beside the agent's own socket, unless it says where. */
function sshAgentSettings(
  { ssh_agent: given }: Config,
  socketPath: string,
  file: string,
): SshAgentSettings | null {
  if (given === undefined) return null;
  const path = given.path ?? join(dirname(socketPath), 'ssh.sock');
  if (resolve(path) === resolve(socketPath)) {
    throw new ConfigError(
      `${file}: ssh_agent.path: ${path} is the agent's own socket: each has a path of its own`,
    );
  }
  return { ...socketFile(given, path), keyrings: [...new Set(given.keyrings)] };
}

/** Signed by `audit.keyring`, else by `default`, else by the first. */
function auditSettings({ audit, keyrings }: Config, stateDir: string): AuditSettings | null {
  if (audit?.enabled !== true) return null;
  const names = Object.keys(keyrings);
  const usual = names.includes('default') ? 'default' : (names[0] ?? 'default');
  return {
    dir: join(stateDir, 'audit'),
    fsync: audit.fsync,
    maxFileBytes: audit.max_file_bytes,
    keyring: audit.keyring ?? usual,
  };
}
