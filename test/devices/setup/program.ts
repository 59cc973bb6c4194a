import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program that runs beside the tests, such as a simulator. What it says is kept for failures. */
export class Program {
  readonly #name: string;
  readonly #child: ChildProcess;
  #said = '';
  #told: (() => void)[] = [];

  constructor(
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.#name = command;
    this.#child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#said += chunk.toString();
        this.#tell();
      });
    }
    this.#child.on('error', (failure) => (this.#said += failure.message));
    this.#child.on('close', () => {
      this.#tell();
    });
  }

  get isOver(): boolean {
    return (
      this.#child.exitCode !== null ||
      this.#child.signalCode !== null ||
      this.#child.pid === undefined
    );
  }

  /** Resolves with the first match in what it says. Rejects where it ends before. */
  async says(wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = wanted.exec(this.#said);
      if (match !== null) return match;
      if (this.isOver) throw this.failure();
      await new Promise<void>((resolve) => this.#told.push(resolve));
    }
  }

  /** Asks again until it is so. Rejects where the program ends before. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) {
      if (this.isOver) throw this.failure();
      await sleep(20);
    }
  }

  failure(): Error {
    return new Error(`${this.#name} ended with ${String(this.#child.exitCode)}: ${this.#said}`);
  }

  async stop(): Promise<void> {
    if (this.isOver) return;
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #tell(): void {
    for (const tell of this.#told.splice(0)) tell();
  }
}

export async function answersOn(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** So many ports of 127.0.0.1 in a row that nobody listens on, below those that the kernel gives out. */
export async function freePorts(wanted: number): Promise<number> {
  for (;;) {
    const first = randomInt(20_000, 32_000);
    const ports = Array.from({ length: wanted }, (_, at) => first + at);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
