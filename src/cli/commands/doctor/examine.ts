import type { Accounts } from '../../../access/access-rules.ts';
import type { Settings } from '../../../config/settings.ts';
import { listenerKinds } from '../../../server/listeners.ts';
import { libraryParameters } from '../../../config/library-parameters.ts';
import type { World } from '../../../base/world.ts';
import { supervisedCa } from '../../../agent/configured-ca.ts';
import type { SharedLibraries } from '../../../vault/kind-of-ca.ts';
import { kindOf } from '../../../vault/kinds/kinds.ts';
import { checkAccess, checkPurposes } from './access.ts';
import { checkApiKeys } from './api-keys.ts';
import { checkClock } from './clock.ts';
import { checkConfiguration } from './configuration.ts';
import { failure, type Finding } from '../../../base/finding.ts';
import { checkHealth } from './health.ts';
import { checkManifest } from './manifest.ts';
import { checkLimits } from './limits.ts';
import { checkRecords } from './records.ts';
import { checkRunning } from './running.ts';
import { checkSocket } from './socket.ts';
import { checkStateDir } from './state-dir.ts';

export interface Examination {
  readonly configFile: string | undefined;
  readonly stateDir: string | undefined;
  /** A socket that the command line names. */
  readonly socket: string | undefined;
  /** This one alone; null: every keyring of the configuration. */
  readonly keyring: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly world: Pick<World, 'now' | 'randomBytes' | 'files'>;
  /** Where the names of users and groups are looked up. */
  readonly accounts: Accounts;
  /** Fingerprint of this machine; null where it cannot be told. */
  readonly machine: string | null;
  /** What the agent is asked with, see ConnectOptions. */
  readonly apiKey: (() => Promise<Buffer>) | undefined;
  readonly agentUser?: string | undefined;
}

/** Everything that an agent needs, in the order in which it would miss it. Changes nothing. */
export async function examine(options: Examination): Promise<readonly Finding[]> {
  const { configFile: file, stateDir, env, uid, world, accounts } = options;
  const now = world.now();
  const named = options.socket ?? env['SIGNING_AGENT_SOCK'];
  const { findings, settings } = checkConfiguration({ file, stateDir, socket: named, env, uid });
  if (settings === null) return [...findings, checkClock(now)];
  const { finding, agent } = checkRunning(settings.stateDir);
  const socket = settings.socket.path;
  const listeners = await checkListeners(settings, agent.running);
  return [
    ...findings,
    ...checkAccess(settings.access, uid, accounts),
    ...checkPurposes(settings),
    ...checkStateDir(settings.stateDir, uid),
    ...checkApiKeys(settings, options),
    finding,
    ...checkManifest(settings, world.files, agent.running !== false),
    ...(await checkKeyrings(settings, options)),
    ...(await checkCluster(settings, options)),
    ...listeners.findings,
    ...(listeners.accepts && agent.running !== false
      ? await checkHealth(socket, {
          wanted: options.keyring,
          pid: agent.pid,
          apiKey: options.apiKey,
          agentUser: options.agentUser,
        })
      : []),
    checkClock(now),
    ...checkLimits(settings.socket, agent),
  ];
}

/** `accepts`: the agent can be asked at its own socket. */
async function checkListeners(
  settings: Settings,
  running: boolean | null,
): Promise<{ readonly findings: readonly Finding[]; readonly accepts: boolean }> {
  const findings: Finding[] = [];
  let accepts = false;
  for (const kind of Object.values(listenerKinds)) {
    const file = kind.socketFile(settings);
    if (file === null) continue;
    const checked = await checkSocket(file, running, kind.table);
    findings.push(checked.finding);
    if (kind === listenerKinds.connections) accepts = checked.accepts;
  }
  return { findings, accepts };
}

/** One after the other: keyrings on one device would disturb each other. */
async function checkKeyrings(
  { keyrings }: Settings,
  options: Examination,
): Promise<readonly Finding[]> {
  const { keyring: wanted, world } = options;
  const chosen = keyrings.filter(({ name }) => wanted === null || name === wanted);
  if (chosen.length === 0) {
    const names = keyrings.map(({ name }) => name).join(', ');
    return [
      failure(`${wanted ?? ''}: keyring`, `is not in the configuration, which has: ${names}`),
    ];
  }
  const findings: Finding[] = [];
  for (const keyring of chosen) {
    findings.push(
      ...(await kindOf(keyring).examine(keyring, options)),
      ...(await checkRecords(keyring, world.files, world.now())),
    );
  }
  return findings;
}

async function checkCluster(
  { cluster, keyrings }: Settings,
  options: Examination,
): Promise<readonly Finding[]> {
  const { keyring: wanted } = options;
  if (cluster === null || (wanted !== null && wanted !== cluster.keyring)) return [];
  const place = supervisedCa(cluster.ca);
  const needs = keyrings.flatMap((keyring) => kindOf(keyring).host(keyring) ?? []);
  const shared: SharedLibraries = {
    parameters: libraryParameters(keyrings),
    environment: needs.flatMap(({ environment }) => environment),
  };
  return (await kindOf(place).ca?.examine(place, options, shared)) ?? [];
}
