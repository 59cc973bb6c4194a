import type { Logger } from 'pino';
import {
  AccessControl,
  type AccessLimits,
  type AccessSettings,
} from '../../src/access/access-control.ts';
import { resolveRules, type AccessNames, type Accounts } from '../../src/access/access-rules.ts';
import { noApiKeys, type LoadedApiKeys } from '../../src/access/api-key.ts';
import { Caller } from '../../src/access/caller.ts';
import type { KeyringBounds } from '../../src/access/grant.ts';
import type { NetworkPeer } from '../../src/access/principal.ts';
import { capturedLog } from './captured-log.ts';
import { Clock } from './world.ts';

/** The agent's user here: not root, who may do everything whatever the rules say. */
export const agentUid = 900;
export const thisMachine = 'a'.repeat(64);

const noLimits: AccessLimits = {
  signaturesPerSecondPerUid: null,
  signaturesPerSecondPerKey: null,
  connectionsPerKey: null,
  operationsPerSecondPerUid: null,
};
const noAccounts: Accounts = { userId: () => null, groupId: () => null };

/** An AccessControl whose clock stands still and whose pauses end when the test says so. */
export class AccessRig {
  readonly clock = new Clock();
  /** Lengths of the pauses that were begun, milliseconds. */
  readonly pauses: number[] = [];
  readonly lines: Record<string, unknown>[];
  readonly control: AccessControl;
  readonly log: Logger;
  /** What binds everybody, by keyring. */
  readonly bounds: ReadonlyMap<string, KeyringBounds>;
  #waiting: (() => void)[] = [];

  constructor(
    keys: LoadedApiKeys = noApiKeys,
    machine: string | null = thisMachine,
    bounds: ReadonlyMap<string, KeyringBounds> = new Map(),
  ) {
    this.bounds = bounds;
    const { log, lines } = capturedLog();
    this.log = log;
    this.lines = lines;
    this.control = new AccessControl({
      settings: this.#settings({}, {}),
      keys,
      machine,
      world: {
        now: this.clock.now,
        monotonicNow: this.clock.monotonicNow,
        pause: (milliseconds) => {
          this.pauses.push(milliseconds);
          return new Promise((resolve) => this.#waiting.push(resolve));
        },
        log,
      },
    });
  }

  rules(names: Partial<AccessNames>) {
    return resolveRules({ admins: [], apps: [], readers: [], ...names }, agentUid, noAccounts);
  }

  /** As a reload would. */
  configure(names: Partial<AccessNames>, limits: Partial<AccessLimits> = {}): void {
    this.control.settings = this.#settings(names, limits);
  }

  #settings(names: Partial<AccessNames>, limits: Partial<AccessLimits>): AccessSettings {
    const { bounds } = this;
    return { rules: this.rules(names), limits: { ...noLimits, ...limits }, bounds, warnings: [] };
  }

  /** Ends every pause that was begun. */
  endPauses(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** A client of the network, on a listener that gives such clients that scope. */
  connectOverNetwork(scope: NetworkPeer['scope'] = 'none', address = '192.0.2.7:52114'): Caller {
    return new Caller({ kind: 'network', address, scope });
  }

  connect(uid: number): Caller {
    const ids = { uid, gid: uid, pid: 4711, groups: [] };
    return new Caller({ kind: 'process', ...ids, name: null, executable: '/bin/x' });
  }
}
