import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings, type Settings } from '../../src/config/settings.ts';
import { openLibc } from '../../src/native/libc.ts';
import { builtHosts } from './built-hosts.ts';
import { Clock, worldWith } from './world.ts';

/** An agent in this process, with a clock of the test's and a real socket. */
export class InProcessAgent {
  readonly clock = new Clock();
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly socket = join(this.folder, 'agent.sock');
  /** What `reload` reads. */
  configuration: string;
  readonly #queueLimit: number | undefined;
  #agent: Agent | null = null;

  /** `config`: TOML; without it, a file keyring. */
  constructor(config = '', options: { queueLimit?: number } = {}) {
    this.configuration = config;
    this.#queueLimit = options.queueLimit;
  }

  get agent(): Agent {
    if (this.#agent === null) throw new Error('the agent was not started');
    return this.#agent;
  }

  /** The state file of a keyring. */
  stateFile(keyring = 'default'): string {
    return join(this.folder, 'state', 'keyrings', `${keyring}.json`);
  }

  /** `stateDir`: another one than its own. */
  async start(stateDir = join(this.folder, 'state')): Promise<this> {
    const flags = {
      stateDir,
      socket: this.socket,
      logLevel: 'silent' as const,
    };
    const uid = process.geteuid?.() ?? 0;
    const where = { env: {}, uid, cwd: '/', file: 'agent.toml', processors: 2 };
    const readSettings = (): Settings =>
      resolveSettings(parseConfig(this.configuration, 'agent.toml'), flags, where);
    const settings = readSettings();
    this.#agent = await startAgent({
      settings,
      readSettings,
      world: worldWith(this.clock),
      libc: openLibc(),
      pid: process.pid,
      uid,
      hosts: builtHosts(settings),
      credentialsDir: null,
      ...(this.#queueLimit === undefined ? {} : { queueLimit: this.#queueLimit }),
    });
    return this;
  }

  async stop(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = null;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
