/**
 * How agentctl speaks. Every command follows these rules:
 *
 * 1. stdout has the answer and nothing else; what went wrong, and questions, go to stderr.
 * 2. With `--json` stdout has one line: the wire's result as it came.
 * 3. Otherwise it is for people: aligned, a name in the first column, one fact a line or one thing a row.
 * 4. Colour only on a terminal, never with NO_COLOR or TERM=dumb, and never as the only sign of anything.
 * 5. Times say how long from now and when in UTC; protection is said in words.
 * 6. What comes from the agent or from files is escaped before it is printed, however harmless it looks.
 * 7. A command that is done and has nothing to tell says what changed, in one sentence.
 */
import type { Protection } from '../../api/signing-backend.ts';
import type { Terminal } from './terminal.ts';
import { escapeControls, jsonText } from './text.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
/** Text of one column; the style colours it where colour is allowed. */
export type Cell = string | { readonly text: string; readonly style: Style };

const sgr: Readonly<Record<Style, number>> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  cyan: 36,
};

const gap = '  ';

/** Where people's text goes: everything is escaped on its way. */
export class Output {
  readonly #terminal: Terminal;
  readonly #coloured: boolean;

  constructor(terminal: Terminal) {
    const { env, stdout } = terminal;
    this.#terminal = terminal;
    this.#coloured =
      stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  }

  json(value: unknown): void {
    this.#terminal.stdout.write(`${jsonText(value)}\n`);
  }

  line(...cells: readonly Cell[]): void {
    this.#terminal.stdout.write(`${cells.map((cell) => this.#paint(cell, 0)).join('')}\n`);
  }

  /** Columns as wide as their widest cell. */
  table(rows: readonly (readonly Cell[])[]): void {
    const widths: number[] = [];
    for (const row of rows) {
      row.forEach((cell, column) => {
        widths[column] = Math.max(widths[column] ?? 0, plain(cell).length);
      });
    }
    for (const row of rows) {
      const last = row.length - 1;
      const cells = row.map((cell, at) => this.#paint(cell, at === last ? 0 : (widths[at] ?? 0)));
      this.#terminal.stdout.write(`${cells.join(gap)}\n`);
    }
  }

  #paint(cell: Cell, width: number): string {
    const text = plain(cell);
    const padding = ' '.repeat(Math.max(0, width - text.length));
    if (typeof cell === 'string' || !this.#coloured) return text + padding;
    return `\u001b[${sgr[cell.style]}m${text}\u001b[0m${padding}`;
  }
}

function plain(cell: Cell): string {
  return escapeControls(typeof cell === 'string' ? cell : cell.text);
}

const protections: Readonly<Record<Protection, string>> = {
  hardware: 'made in the device, never leaves it',
  'hardware-wrapped': 'at rest the key needs the device, in use it is in memory',
  software: "the key can be copied by whoever controls this machine's token or file",
};

/** Protection in plain words, its name first; a word of a newer agent is shown as it is. */
export function protectionInWords(protection: string): string {
  const words = Object.entries(protections).find(([name]) => name === protection)?.[1];
  return words === undefined ? protection : `${protection}: ${words}`;
}
