import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Part } from './document.ts';
import { Normalised } from './normalised.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** One command of a document: what it is to print and how it is to end, and what it did. */
export interface Step {
  readonly line: number;
  readonly command: string;
  readonly expected: string;
  readonly actual: string;
  /** As it was printed. */
  readonly raw: string;
}

/** A shell in a home of its own, with the built programs on its PATH, that a document's commands are typed into. */
export class DocumentSession {
  readonly home = mkdtempSync(join(tmpdir(), 'home-'));
  readonly #shell: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;
  readonly #documented = new Normalised();
  readonly #own: Normalised;
  /** Behind every command, with its exit code. */
  readonly #mark = `--- ${process.pid} ended with `;

  constructor() {
    const bin = join(this.home, '.local', 'bin');
    mkdirSync(bin, { recursive: true });
    for (const name of ['agentctl', 'signing-agent']) {
      symlinkSync(join(root, 'dist', 'bin', `${name}.js`), join(bin, name));
    }
    symlinkSync(root, join(this.home, 'signing-agent'));
    this.#own = new Normalised([
      [this.home, '/home/me'],
      [root.replace(/\/$/, ''), '/home/me/signing-agent'],
    ]);
    this.#shell = spawn('bash', ['--noprofile', '--norc'], {
      cwd: this.home,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...{ PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: this.home, LANG: 'C.UTF-8' },
        ...{ TZ: 'UTC', UV_THREADPOOL_SIZE: '3', NO_UPDATE_NOTIFIER: '1' },
      },
    });
    if (this.#shell.stdout === null) throw new Error('the shell has no output');
    this.#interface = createInterface({ input: this.#shell.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
    this.#type('exec 2>&1');
  }

  /** What a part does. A file or a hidden script is no step: null, and it throws where that fails. */
  async play(part: Part): Promise<Step | null> {
    if (part.kind === 'file') {
      const path = join(this.home, part.path);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, part.text, { mode: 0o600 });
      return null;
    }
    if (part.kind === 'hidden') {
      const { code, said } = await this.#run(part.script);
      if (code !== 0) throw new Error(`line ${part.line}: ended with ${code}\n${said}`);
      return null;
    }
    const { line, command } = part;
    const { code, said } = await this.#run(this.#own.translated(command, this.#documented));
    // In the order in which ids come: what is typed has none that was not printed before.
    const expected = this.#documented.text(part.expected);
    const actual = `${this.#own.text(said)}${code === endOf(command) ? '' : `\nended with ${code}`}`;
    return { line, command, expected, actual: withGaps(actual, expected), raw: said };
  }

  /** Ends what the session has left running, and removes its home. */
  async close(): Promise<void> {
    const ended = once(this.#shell, 'exit');
    this.#type('jobs=$(jobs -p); [ -z "$jobs" ] || kill $jobs; wait; exit');
    await ended;
    this.#interface.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  async #run(script: string): Promise<{ readonly code: number; readonly said: string }> {
    const file = join(this.home, '.local', 'typed');
    writeFileSync(file, `${script}\n`);
    // Sourced: what it sets stays set. Nothing that it runs reads the commands behind it.
    this.#type(`. "${file}" </dev/null; printf '\\n%s%s\\n' '${this.#mark}' $?`);
    const said: string[] = [];
    for (;;) {
      const next = await this.#lines.next();
      if (next.done === true) throw new Error(`the shell ended in: ${script}`);
      if (next.value.startsWith(this.#mark)) {
        return { code: Number(next.value.slice(this.#mark.length)), said: said.join('\n') };
      }
      said.push(next.value);
    }
  }

  #type(line: string): void {
    this.#shell.stdin?.write(`${line}\n`);
  }
}

/** `# ends with N` behind a command: it is refused, and that is shown. */
function endOf(command: string): number {
  return Number(/# ends with (\d+)$/.exec(command)?.[1] ?? 0);
}

/** Where a line of what is expected is `...`, what was printed there does not matter. */
function withGaps(actual: string, expected: string): string {
  if (!expected.split('\n').includes('...')) return actual;
  const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const pattern = expected
    .split('\n')
    .map((line) => (line === '...' ? '[^]*?' : escaped(line)))
    .join('\n');
  return new RegExp(`^${pattern}$`).test(actual) ? expected : actual;
}
