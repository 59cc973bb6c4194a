import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = (name: string): string =>
  fileURLToPath(new URL(`../../dist/bin/${name}.js`, import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [member: string]: unknown;
}

export interface DaemonOptions {
  readonly launcher?: readonly string[];
  readonly plain?: boolean;
  readonly installed?: string;
}

/** The built programs as processes, in a folder of their own that goes with them. */
export class Daemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'daemon-'));
  readonly socket = join(this.folder, 'agent.sock');
  readonly stateDir = join(this.folder, 'state');
  readonly log: LogLine[] = [];
  readonly #environment: Record<string, string>;
  readonly #sizes: Readonly<Record<string, string>>;
  readonly #launcher: readonly string[];
  readonly #program: string;
  #watchers: (() => void)[] = [];
  #child: ChildProcess | null = null;
  #stderr = '';

  /**
   * `launcher`: words before the agent's own, of a program that becomes it, such as setpriv(1). `plain`: as an operator
   * starts it who sizes no thread pool; then it starts itself once more, which takes as long again. `installed`: the agent's program, where it is not what was built
   * here.
   */
  constructor(
    environment: Readonly<Record<string, string>> = {},
    { launcher = [], plain = false, installed = program('signing-agent') }: DaemonOptions = {},
  ) {
    this.#environment = { ...environment };
    this.#sizes = plain ? {} : { UV_THREADPOOL_SIZE: '3' };
    this.#launcher = launcher;
    this.#program = installed;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the agent does not run');
    return this.#child.pid;
  }

  /** Writes a configuration file for `start`. */
  config(text: string, mode = 0o600): string {
    const path = join(this.folder, 'agent.toml');
    writeFileSync(path, text, { mode });
    return path;
  }

  /** Starts the agent; resolves when it has said that it is ready, rejects where it ends before. */
  async start(...flags: string[]): Promise<this> {
    const child = this.#spawn(flags);
    this.#child = child;
    this.#stderr = '';
    const ready = new Promise<void>((resolve) => {
      if (child.stderr === null) throw new Error('stderr is a pipe');
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.#stderr += `${line}\n`;
        if (!line.startsWith('{')) return;
        const entry = JSON.parse(line) as LogLine;
        this.log.push(entry);
        if (entry.msg === 'ready') resolve();
        for (const tell of this.#watchers.splice(0)) tell();
      });
    });
    const ended = once(child, 'close').then(([code]) => {
      throw new Error(`the agent ended with ${String(code)}: ${this.#stderr}`);
    });
    await Promise.race([ready, ended]);
    ended.catch(() => null); // from here on the end is what `stop` and `kill` wait for
    return this;
  }

  /** The first line of the log from the `from`th on of which this is true, once it is there. */
  async logged(is: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    for (;;) {
      const line = this.log.slice(from).find(is);
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Sends the signal as soon as the agent says anything, which is before it is ready; answers its exit code. */
  async startAndSignal(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#spawn(['--log-level', 'debug']);
    this.#child = child;
    if (child.stderr === null) throw new Error('stderr is a pipe');
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (this.log.push(JSON.parse(line) as LogLine) >= 1) child.kill(signal);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return code;
  }

  /** Runs the agent to its end, for starts that are refused. */
  async refusedStart(...flags: string[]): Promise<Ended> {
    return collect(this.#spawn(flags));
  }

  /** Sends the signal, SIGTERM unless told, and resolves with the exit code (null: by the signal itself). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    this.#child = null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'close');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs agentctl against this agent, in its environment. */
  agentctl(args: readonly string[], stdin: string | Buffer = ''): Promise<Ended> {
    const words = [program('agentctl'), '--socket', this.socket, ...args];
    return run(process.execPath, words, stdin, this.#environment);
  }

  /** Resident memory, bytes. */
  rss(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  }

  #spawn(flags: readonly string[]): ChildProcess {
    const where = ['--state-dir', this.stateDir, '--socket', this.socket];
    const words = [...this.#launcher, process.execPath, this.#program];
    const [command = '', ...args] = [...words, ...where, ...flags];
    return spawn(command, args, {
      env: { ...process.env, ...this.#sizes, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  stdin: string | Buffer = '',
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(command, args, { env: { ...process.env, ...environment } });
  child.stdin.on('error', () => null); // a program may end without reading what it is given
  child.stdin.end(stdin);
  return collect(child);
}

async function collect(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}
