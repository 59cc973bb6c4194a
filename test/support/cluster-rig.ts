import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CaCert } from '../../src/api/cluster.ts';
import type { JoinTokens } from '../../src/cluster/join-tokens.ts';
import type { OwnCa, TrustBundles } from '../../src/cluster/trust-bundles.ts';
import { clusterRegistry } from '../../src/agent/cluster-registry.ts';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import { configuredKeyrings } from '../../src/agent/configured-keyring.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { SupervisedKeyrings } from '../../src/agent/supervised-keyrings.ts';
import { AgentDatabase } from '../../src/database/agent-database.ts';
import { ModuleHosts } from '../../src/vault/host/module-hosts.ts';
import { builtHosts } from './built-hosts.ts';
import { Clock, worldWith } from './world.ts';
import { noLedgers } from './ledgers.ts';

/** The cluster's part of an agent, on its real state: a file keyring and agent.db. The CA is the test's. */
export class ClusterRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'cluster-'));
  /** It begins at 2026-05-14T17:55:00Z. */
  readonly clock: Clock;
  readonly certificates = new Map<string, CaCert>();
  ownCa: OwnCa | null = null;
  readonly database: AgentDatabase;
  readonly trustBundles: TrustBundles;
  readonly joinTokens: JoinTokens;
  readonly #keyrings: SupervisedKeyrings;

  /** `folder`: that of a rig that was closed, as an agent that is started again has it. */
  constructor({ folder, clock = new Clock() }: { folder?: string; clock?: Clock } = {}) {
    if (folder !== undefined) {
      rmSync(this.folder, { recursive: true });
      this.folder = folder;
    }
    this.clock = clock;
    const world = worldWith(clock);
    mkdirSync(join(this.folder, 'keyrings'), { mode: 0o700, recursive: true });
    const settings = resolveSettings(
      parseConfig('[cluster]\ndomain = "prod.example"\n', 'agent.toml'),
      { stateDir: this.folder },
      { env: {}, uid: 0, cwd: '/', file: 'agent.toml', processors: 2 },
    );
    const open = configuredKeyrings(world, new ModuleHosts(builtHosts(settings)), {
      ledger: () => noLedgers.records,
    });
    this.#keyrings = new SupervisedKeyrings(settings.keyrings, open, world, null);
    this.database = new AgentDatabase(join(this.folder, 'agent.db'), noLedgers.transactions);
    const registry = clusterRegistry({
      database: this.database,
      keyring: () => this.keyring,
      certificates: {
        certificateFor: (kid) => this.certificates.get(kid) ?? null,
        issueDue: () => Promise.resolve(),
      },
      ownCa: () => this.ownCa,
      longestJoinToken: settings.cluster?.longestJoinToken ?? 0,
      world,
    });
    this.trustBundles = registry.trustBundles;
    this.joinTokens = registry.joinTokens;
  }

  get keyring(): Keyring {
    return this.#keyrings.get('default');
  }

  async open(): Promise<this> {
    await this.#keyrings.open();
    await this.database.openExisting();
    return this;
  }

  async close(): Promise<void> {
    await this.#keyrings.close();
    this.database.close();
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
