import type { World } from '../base/world.ts';
import type { Settings } from '../config/settings.ts';
import type { Libc } from '../native/libc.ts';
import type { HostLaunch } from '../vault/host/module-hosts.ts';

/** What an agent is started with. */
export interface AgentOptions {
  readonly settings: Settings;
  /** Reads the configuration again, with the flags that the agent was started with. Throws ConfigError. */
  readonly readSettings: () => Settings;
  readonly world: World;
  readonly libc: Libc;
  readonly pid: number;
  readonly uid: number;
  /** For systemd credentials. */
  readonly credentialsDir: string | null;
  /** How the child processes that load PKCS#11 modules are started. */
  readonly hosts: HostLaunch;
  /** Fewer than the default, in tests. */
  readonly queueLimit?: number;
}
