import { dirname, join, resolve } from 'node:path';
import { defaultSocketPath, defaultStateDir, type Environment } from '../base/default-paths.ts';
import type { AccessLimits } from '../access/access-control.ts';
import type { AccessNames } from '../access/access-rules.ts';
import type { RotationPolicy } from '../keyring/rotation-schedule.ts';
import type { LogLevel } from '../base/log.ts';
import { keyLabel, parsePkcs11Uri, type Pkcs11Uri } from '../vault/pkcs11/uri.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import { ConfigError } from './load.ts';
import type { Config, KeyringConfig } from './schema.ts';

/**
 * Where nobody says how many sessions: for a token in software, whose signatures take a processor each. More
 * sessions than processors, so that the threads have work while answers, several written together, are on their
 * way and the next requests on theirs.
 */
const sessionsPerProcessor = 8;
/** A YubiHSM 2 has 16. */
const mostSessions = 16;

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

export interface ClusterSettings {
  readonly domain: string;
  /** Whose keys get certificates. */
  readonly keyring: string;
  readonly ca: CaSettings;
}

export type CaSettings =
  | { readonly backend: 'file'; readonly path: string }
  /** `sidecarPath`: beside it stands what is remembered of refused PINs; there is no sidecar. */
  | { readonly backend: 'pkcs11'; readonly uri: Pkcs11Uri; readonly sidecarPath: string };

export interface SshAgentSettings extends SocketFileSettings {
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

export type KeyringSettings = {
  readonly name: string;
  readonly require: KeyringConfig['require'];
  /** Away at start: tried again, instead of being the end of the start. */
  readonly optional: boolean;
  /** null: rotated by hand. */
  readonly rotation: RotationPolicy | null;
} & (
  | { readonly backend: 'file'; readonly path: string }
  | {
      readonly backend: 'pkcs11';
      readonly sidecarPath: string;
      readonly uri: Pkcs11Uri;
      readonly algorithm: KeyringConfig['algorithm'];
      readonly sessions: number;
      /** Threads that its sessions must have to themselves: as many as were asked for, else none. */
      readonly ownThreads: number;
      /** A call into the module that takes longer is taken for hung, milliseconds. */
      readonly callTimeout: number;
      /** A token that keeps no seal of the records is refused. */
      readonly requireSeal: boolean;
      /** For C_Initialize; null for none. */
      readonly libraryParameters: string | null;
      /** Names of variables that the module needs beside the usual ones. */
      readonly environment: readonly string[];
    }
);

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
  const stateDir =
    flags.stateDir === undefined
      ? (config.state_dir ?? defaultStateDir(world.env, world.uid))
      : resolve(world.cwd, flags.stateDir);
  const socketPath =
    flags.socket === undefined
      ? (config.socket.path ?? defaultSocketPath(world.env, world.uid, stateDir))
      : resolve(world.cwd, flags.socket);
  const keyrings = Object.entries(config.keyrings).map(([name, keyring]) =>
    keyringSettings(name, keyring, stateDir, world),
  );
  const cluster = clusterSettings(config, stateDir, world.file);
  refuseKeyOfCa(keyrings, cluster, stateDir, world.file);
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
      admins: config.access.admins,
      apps: config.access.apps,
      readers: config.access.readers,
      signaturesPerSecondPerUid: config.access.max_signatures_per_second_per_uid ?? null,
      signaturesPerSecondPerKey: config.access.max_signatures_per_second_per_key ?? null,
      connectionsPerKey: config.access.max_connections_per_key ?? null,
    },
    audit: auditSettings(config, stateDir),
    keyrings,
    cluster,
    sshAgent: sshAgentSettings(config, socketPath, world.file),
  };
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

function clusterSettings(
  { cluster }: Config,
  stateDir: string,
  file: string,
): ClusterSettings | null {
  if (cluster === undefined) return null;
  const { domain, keyring, ca_backend, ca_uri = '' } = cluster;
  if (ca_backend === 'file') {
    return { domain, keyring, ca: { backend: 'file', path: caKeyPath(stateDir) } };
  }
  const sidecarPath = join(stateDir, 'keyrings', `${reservedKeyring}.json`);
  const uri = tokenUri(ca_uri, `${file}: cluster.ca_uri`);
  return { domain, keyring, ca: { backend: 'pkcs11', uri, sidecarPath } };
}

export function caKeyPath(stateDir: string): string {
  return join(stateDir, 'cluster-ca.key');
}

/** A keyring that had the CA's key for one of its own would sign with it for everybody. */
function refuseKeyOfCa(
  keyrings: readonly KeyringSettings[],
  cluster: ClusterSettings | null,
  stateDir: string,
  file: string,
): void {
  const labels = [keyLabel(reservedKeyring, null)];
  if (cluster?.ca.backend === 'pkcs11') labels.push(keyLabel(reservedKeyring, cluster.ca.uri));
  for (const keyring of keyrings) {
    if (keyring.backend === 'file') {
      if (keyring.path !== caKeyPath(stateDir)) continue;
      throw new ConfigError(caKeyOfKeyring(file, keyring.name));
    }
    const label = keyLabel(keyring.name, keyring.uri);
    if (!labels.includes(label)) continue;
    throw new ConfigError(
      `${file}: keyrings.${keyring.name}.uri: its keys would have the label ${label}, which is the cluster CA's: ` +
        'leave "object" out, here and in cluster.ca_uri, or name another',
    );
  }
}

export function caKeyOfKeyring(file: string, keyring: string): string {
  return `${file}: keyrings.${keyring}.path: that is the key of the cluster CA, which is no keyring's`;
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

function keyringSettings(
  name: string,
  keyring: KeyringConfig,
  stateDir: string,
  { file, processors }: { file: string; processors: number },
): KeyringSettings {
  const common = {
    name,
    require: keyring.require,
    optional: keyring.optional,
    rotation: keyring.rotation ?? null,
  };
  const ownPath = join(stateDir, 'keyrings', `${name}.json`);
  if (keyring.backend === 'file') {
    const path = keyring.path === undefined ? ownPath : resolve(stateDir, keyring.path);
    return { ...common, backend: 'file', path };
  }
  return {
    ...common,
    backend: 'pkcs11',
    sidecarPath: ownPath,
    uri: tokenUri(keyring.uri ?? '', `${file}: keyrings.${name}.uri`),
    algorithm: keyring.algorithm,
    sessions: keyring.sessions ?? Math.min(sessionsPerProcessor * processors, mostSessions),
    ownThreads: keyring.sessions ?? 0,
    callTimeout: keyring.call_timeout * 1000,
    requireSeal: keyring.require_seal,
    libraryParameters: keyring.library_parameters ?? null,
    environment: keyring.environment,
  };
}

function tokenUri(text: string, where: string): Pkcs11Uri {
  try {
    return parsePkcs11Uri(text);
  } catch (failure) {
    throw new ConfigError(`${where}: ${failure instanceof Error ? failure.message : ''}`);
  }
}
