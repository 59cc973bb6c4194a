import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent, type Agent } from '../../src/agent.ts';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import { openLibc } from '../../src/native/libc.ts';
import { builtHosts } from './built-hosts.ts';
import { Clock, worldWith } from './world.ts';

/** An agent in this process, with a clock of the test's and a real socket. */
export class InProcessAgent {
  readonly clock = new Clock();
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly socket = join(this.folder, 'agent.sock');
  readonly #config: string;
  readonly #queueLimit: number | undefined;
  #agent: Agent | null = null;

  /** `config`: TOML; without it, a file keyring. */
  constructor(config = '', options: { queueLimit?: number } = {}) {
    this.#config = config;
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

  async start(): Promise<this> {
    const flags = { stateDir: join(this.folder, 'state'), socket: this.socket };
    const uid = process.geteuid?.() ?? 0;
    const settings = resolveSettings(parseConfig(this.#config, 'agent.toml'), flags, {
      env: {},
      uid,
      cwd: '/',
      file: 'agent.toml',
      processors: 2,
    });
    this.#agent = await startAgent({
      settings,
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
