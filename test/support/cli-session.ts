import { PassThrough, Readable } from 'node:stream';
import { main } from '../../src/cli/main.ts';
import type { Terminal } from '../../src/cli/shell/terminal.ts';

export interface Session {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** stdout as it was written, for raw signatures. */
  readonly bytes: Buffer;
}

export interface Surroundings {
  readonly stdin?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly now?: number;
  readonly stdoutIsTerminal?: boolean;
  /** What is typed at a terminal; without it stdin is a pipe. */
  readonly typed?: string | readonly Buffer[];
  /** Told each time that the terminal's raw mode is turned on or off. */
  readonly setRawMode?: (raw: boolean) => void;
}

/** Runs one command line of agentctl in this process. */
export async function agentctl(
  argv: readonly string[],
  surroundings: Surroundings = {},
): Promise<Session> {
  const { terminal, out, err } = terminalOf(surroundings);
  const code = await main(argv, terminal);
  await new Promise(setImmediate);
  const bytes = out();
  return { code, out: bytes.toString(), err: err().toString(), bytes };
}

/** A terminal of the test's, and what was written to it so far. */
export function terminalOf(surroundings: Surroundings = {}): {
  readonly terminal: Terminal;
  readonly out: () => Buffer;
  readonly err: () => Buffer;
} {
  const { stdin = '', env = {}, now = Date.now(), typed } = surroundings;
  const chunks = typeof typed === 'object' ? typed : [Buffer.from(typed ?? stdin)];
  const input = Readable.from(chunks, { objectMode: false });
  const collect = (isTTY: boolean): { stream: PassThrough; text: () => Buffer } => {
    const chunks: Buffer[] = [];
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return { stream: Object.assign(stream, { isTTY }), text: () => Buffer.concat(chunks) };
  };
  const stdout = collect(surroundings.stdoutIsTerminal === true);
  const stderr = collect(false);
  const terminal = {
    stdin: Object.assign(input, {
      isTTY: typed !== undefined,
      ...(typed === undefined ? {} : { setRawMode: surroundings.setRawMode ?? (() => undefined) }),
    }),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env,
    now: () => now,
  };
  return { terminal, out: stdout.text, err: stderr.text };
}
