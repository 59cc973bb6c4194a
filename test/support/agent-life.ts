import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LogLine } from './daemon.ts';
import { isRunning, until } from './faulty-agent.ts';

const program = fileURLToPath(new URL('../../dist/bin/signing-agent.js', import.meta.url));

/** One process of the built agent, from its start to its end, and the vault hosts that it has started. */
export class AgentLife {
  readonly log: LogLine[] = [];
  /** Vault hosts that were killed, and were not this process's own doing. */
  hostsKilled = 0;
  /** Of the vault host that was started last. */
  host: number | null = null;
  /** Its login is over: from here on it may be killed. */
  hostIsOpen = false;
  readonly #child: ChildProcess;
  readonly #hosts: number[] = [];
  #stderr = '';
  #ended: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null = null;
  #watchers: (() => void)[] = [];

  /** `launcher`: words before the agent's own, of a program that becomes it. */
  constructor(
    flags: readonly string[],
    environment: Readonly<Record<string, string>>,
    launcher: readonly string[] = [],
  ) {
    const [command, ...words] = [...launcher, process.execPath];
    this.#child = spawn(command, [...words, program, ...flags], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (this.#child.stderr === null) throw new Error('stderr is a pipe');
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#read(line);
    });
    this.#child.on('close', (code, signal) => {
      this.#ended = { code, signal };
      this.#tell();
    });
  }

  get isReady(): boolean {
    return this.has('ready');
  }

  get exit(): { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null {
    return this.#ended;
  }

  /** What it said, for failures. */
  get words(): string {
    return this.#stderr.slice(-3000);
  }

  has(message: string): boolean {
    return this.log.some(({ msg }) => msg === message);
  }

  /** Looks again at each line that the agent logs. Rejects where the agent ends before. */
  async until(what: string, holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#ended !== null) {
        const { code, signal } = this.#ended;
        throw new Error(`${what}: the agent ended with ${String(signal ?? code)}:\n${this.words}`);
      }
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the agent is gone, and its vault hosts with it. */
  async gone(): Promise<void> {
    while (this.#ended === null) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
    await until('the vault hosts end with their agent', () => !this.#hosts.some(isRunning));
  }

  #read(line: string): void {
    this.#stderr += `${line}\n`;
    if (line.startsWith('{')) {
      const entry = JSON.parse(line) as LogLine;
      this.log.push(entry);
      if (entry.msg === 'vault host started') {
        this.host = Number(entry['pid']);
        this.#hosts.push(this.host);
        this.hostIsOpen = false;
      }
      if (['token opened', 'TPM opened'].includes(entry.msg)) this.hostIsOpen = true;
      if (entry.msg === 'the vault host ended') this.hostIsOpen = false;
      if (entry.msg === 'a vault host ended') {
        this.hostIsOpen = false;
        if (entry['signal'] === 'SIGKILL') this.hostsKilled += 1;
      }
    }
    this.#tell();
  }

  #tell(): void {
    for (const tell of this.#watchers.splice(0)) tell();
  }
}
