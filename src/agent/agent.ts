import { join } from 'node:path';
import type { Reloaded } from '../api/reload.ts';
import { AccessControl, type AccessSettings } from '../access/access-control.ts';
import { resolveRules } from '../access/access-rules.ts';
import type { LoadedApiKeys } from '../access/api-key.ts';
import { ApiKeys } from '../access/api-keys.ts';
import type { Caller } from '../access/caller.ts';
import { Shares } from '../access/share.ts';
import { loadApiKeys } from '../access/load-api-keys.ts';
import type { Grant } from '../access/grant.ts';
import { noAudit } from '../audit/audit.ts';
import { ownEvent } from '../audit/schedule-journal.ts';
import { clientKeyRegistry } from './client-key-registry.ts';
import type { ClusterAuthority } from './cluster-authority.ts';
import { refuseCaByAnotherName } from '../config/ca-clash.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import { clusterRegistry } from './cluster-registry.ts';
import { keyringBounds, purposeWarnings } from '../config/keyring-bounds.ts';
import type { Settings } from '../config/settings.ts';
import { configuredKeystore } from './configured-keystore.ts';
import { AgentError } from '../base/errors.ts';
import type { AgentOptions } from './options.ts';
import { admission, signing } from '../request/admission.ts';
import type { RequestContext } from '../request/handle.ts';
import { noJwtPolicy } from '../formats/jose/jwt-policy.ts';
import { machineFingerprint } from '../native/machine.ts';
import { unreadText, type Services } from '../request/services.ts';
import type { AgentStatus, WholeStatus } from '../api/status.ts';
import { Queue } from '../request/queue.ts';
import { protocolDocument } from './protocol-document.ts';
import { recordedKeyrings, type RecordedKeyrings } from './recorded-keyrings.ts';
import { reload } from './reload.ts';
import { formatTime } from '../base/rfc3339.ts';
import { Listeners } from '../server/listeners.ts';
import { AgentDatabase } from '../database/agent-database.ts';
import { ApiKeysFile } from '../access/api-keys-file.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { holdReserve } from './held-reserve.ts';
import { requireTrustedParents } from '../files/trusted-path.ts';
import { removeCutOffWrites } from '../files/cut-off-writes.ts';
import { lockStateDir, type StateDirLock } from '../files/state-dir-lock.ts';
import { version } from '../base/version.ts';
import { StateManifest } from './state-manifest.ts';

/**
 * Requests, and signatures, that were admitted and are not done yet, over all connections; beyond it the answer
 * is `overloaded`. A batch counts by its messages. One share has fewer requests in work than that, of batches too, so
 * that nobody is refused for what one other asks.
 */
const queueLimit = 16_384;
const signatureLimit = 131_072;
/** How long an admitted request may take to be answered once the agent stops, milliseconds. */
const drainTime = 5000;

/** A running agent. */
export interface Agent {
  readonly socketPath: string;
  status(): WholeStatus;
  /** Reads again what may change while the agent runs. */
  reload(): Reloaded;
  /**
   * Answers what was asked before: what was admitted with its result (for at most 5 s), what lay in a socket with
   * `shutting_down`. Then lets go of tokens and files.
   */
  stop(): Promise<void>;
}

/**
 * Configuration and world in, a running agent out: the one place that knows every part. When it resolves,
 * every keyring that is not locked has signed and verified a message and the socket accepts. Throws
 * ConfigError, AlreadyRunningError, KeyringError, or an AgentError for a state dir, socket or database that cannot be used.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { settings, libc } = options;
  refuseCaByAnotherName(settings);
  const listeners = new Listeners(settings, libc);
  ensurePrivateDir(settings.stateDir);
  requireTrustedParents(settings.stateDir);
  ensurePrivateDir(join(settings.stateDir, 'keyrings'));
  const lock = lockStateDir(settings.stateDir, libc);
  removeCutOffWrites(settings.stateDir, libc, options.world.log);
  const letGoOfReserve = holdReserve(settings.stateDir, options.world);
  const state = await releasedOnFailure(lock, async () => {
    const manifest = await options.world.files.urgently(() =>
      StateManifest.open(settings.stateDir, options.world),
    );
    const database = new AgentDatabase(join(settings.stateDir, 'agent.db'), manifest.ledger);
    return { manifest, database, parts: recordedKeyrings(options, database, manifest) };
  });
  const { manifest, database, parts } = state;
  const { audit, keyrings, cluster } = parts;
  const release = async (): Promise<void> => {
    letGoOfReserve();
    database.close();
    await options.world.files
      .urgently(() => manifest.close())
      .finally(() => {
        lock.release();
      });
  };
  try {
    // Whoever has filled the disk must not keep an agent from starting: nothing could be taken back.
    await options.world.files.urgently(async () => {
      await database.openExisting();
      await Promise.all([keyrings.open(), cluster?.open()]);
      await audit?.start();
      await manifest.logStarted();
      await cluster?.start();
    });
    return await serve(options, listeners, state, release);
  } catch (failure) {
    await cluster?.stop();
    await audit?.stop();
    await keyrings.close();
    await release();
    throw failure;
  }
}

interface AgentState {
  readonly manifest: StateManifest;
  readonly database: AgentDatabase;
  readonly parts: RecordedKeyrings;
}

async function releasedOnFailure<T>(lock: StateDirLock, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (failure) {
    lock.release();
    throw failure;
  }
}

async function serve(
  options: AgentOptions,
  listeners: Listeners,
  { manifest, database, parts: { keyrings, audit: auditLog, cluster, hosts } }: AgentState,
  release: () => Promise<void>,
): Promise<Agent> {
  const { settings, world, libc } = options;
  const queue = (limit: number): Queue => new Queue(options.queueLimit ?? limit);
  const counters = { requests: 0, errors: 0, signatures: 0 };
  const startedAt = formatTime(world.now());
  const accessSettings = (read: Settings): AccessSettings => ({
    rules: resolveRules(read.access, options.uid, libc),
    limits: read.access,
    // As the keyrings themselves: what is read anew counts after a restart.
    bounds: keyringBounds(settings),
    warnings: purposeWarnings(settings),
  });
  const apiKeysFile = new ApiKeysFile(settings.stateDir, { libc, world, ledger: manifest.apiKeys });
  await apiKeysFile.adopt();
  const readApiKeys = (): LoadedApiKeys => loadApiKeys(apiKeysFile.load(), libc);
  const machine = machineFingerprint();
  const access = new AccessControl({
    settings: accessSettings(settings),
    keys: readApiKeys(),
    machine,
    world,
  });
  const shares = new Shares(access);
  const isOwn = (caller: Caller): boolean => shares.of(caller).kind === 'own';
  for (const warning of access.warnings) world.log.warn({ reason: warning }, 'access');
  const audit = auditLog ?? noAudit;
  const ofAgent = (to: Grant | null): OfAgent => ({
    ...listeners.status,
    counters: {
      ...counters,
      authentication_failures: sum(access.failures.values()),
      wrong_signatures: hosts.wrongSignatures,
    },
    access: {
      api_keys: access.keys.keys.size,
      warnings: to === null ? access.warnings : access.warningsFor(to),
    },
    audit: audit.status(),
  });
  const status = (to: Grant | null): AgentStatus => ({
    agent: { version: version(), pid: options.pid, started_at: startedAt },
    keyrings: keyrings.status().filter(({ name }) => to?.keyrings?.has(name) ?? true),
    ...((to?.keyrings ?? null) === null ? ofAgent(to) : ofAgentUntold),
    cluster:
      to?.keyrings?.has(settings.cluster?.keyring ?? '') === false
        ? null
        : (cluster?.status() ?? null),
  });
  const reloadAll = (): Reloaded =>
    reload({
      settings,
      readSettings: options.readSettings,
      accessSettings,
      readApiKeys,
      access,
      world,
    });
  const ofCa = (name: string): ClusterAuthority | null =>
    name === reservedKeyring ? cluster : null;
  const services: Services = {
    keyring: (name) => keyrings.get(name),
    clusterKeyring: () => inCluster(settings.cluster).keyring,
    clusterCa: () => inCluster(cluster),
    keystore: (name) => configuredKeystore(settings.keyrings, name, world),
    status,
    protocol: protocolDocument(world),
    unlock: (name, pin, again) =>
      ofCa(name)?.unlock(pin, again) ?? keyrings.unlock(name, pin, again),
    lock: (name) => ofCa(name)?.lock() ?? keyrings.lock(name),
    signing: signing(queue(signatureLimit), counters, isOwn),
    jwtPolicy: (name) =>
      settings.keyrings.find((keyring) => keyring.name === name)?.jwt ?? noJwtPolicy,
    randomBytes: (size) => world.randomBytes(size),
    authenticate: (caller, secret) => access.authenticate(caller, secret),
    withdrawCredential: (caller) => {
      access.withdraw(caller);
    },
    clientKeys: clientKeyRegistry(database, access, libc, world),
    apiKeys: new ApiKeys({
      store: apiKeysFile,
      accounts: libc,
      keyrings: new Map(settings.keyrings.map(({ name, purposes }) => [name, purposes])),
      machine,
      uses: { since: startedAt, lastUsed: (id) => access.lastUsed(id) },
      changed: (keys) => {
        access.keys = keys;
      },
      world,
    }),
    ...clusterRegistry({
      database,
      keyring: () => keyrings.get(inCluster(settings.cluster).keyring),
      certificates: {
        certificateFor: (kid) => inCluster(cluster).certificateFor(kid),
        issueDue: () => inCluster(cluster).issueDue(),
      },
      longestJoinToken: settings.cluster?.longestJoinToken ?? 0,
      ownCa: () => cluster && { domain: cluster.domain, publicKey: cluster.publicKey },
      world,
    }),
    reload: () => Promise.resolve(reloadAll()),
  };
  const admitted = admission(queue(queueLimit), counters, isOwn);
  const context: RequestContext = {
    services,
    access,
    shares,
    audit,
    admission: admitted,
    world,
  };
  await listeners.open(context);
  return {
    socketPath: settings.socket.path,
    status: () => ({ ...status(null), ...ofAgent(null) }),
    reload: () => {
      const reloaded = reloadAll();
      // Only when it is done: a full disk must not keep an API key alive that was taken back.
      const ended = { outcome: 'done', reason: unreadText(reloaded) } as const;
      void audit.recordSurely(ownEvent({ method: 'reload', keyring: null }, ended));
      return reloaded;
    },
    stop: async () => {
      admitted.close();
      await listeners.drain(drainTime);
      await cluster?.stop();
      await auditLog?.stop();
      await keyrings.close();
      await release();
    },
  };
}

type OfAgent = Omit<WholeStatus, 'agent' | 'keyrings' | 'cluster'>;

/** In its place for a key that is for some keyrings alone. */
const ofAgentUntold = {
  connections: null,
  ssh_agent: null,
  counters: null,
  access: null,
  audit: null,
} as const;

function inCluster<T>(part: T | null): T {
  if (part !== null) return part;
  throw new AgentError(
    'not_supported',
    'this agent is in no cluster: give it a [cluster] with a domain, and start it again',
  );
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
