import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

export interface Answer {
  readonly id: string | number | null;
  readonly result?: Record<string, unknown>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: { readonly kind: string; readonly [member: string]: unknown };
  };
}

/** A client that knows nothing but lines: what goes out is up to the test, what comes in is JSON. */
export class LineClient {
  readonly socket: Duplex;
  readonly answers: Answer[] = [];
  readonly closed: Promise<void>;
  #changed: (() => void)[] = [];

  /** `socket`: connected, or what stands for it. */
  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on('error', () => null); // 'close' follows, and is what tests wait for
    const lines = createInterface({ input: socket });
    lines.on('error', () => null); // it repeats those of the socket
    lines.on('line', (line) => {
      this.answers.push(JSON.parse(line) as Answer);
      for (const tell of this.#changed.splice(0)) tell();
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const tell of this.#changed.splice(0)) tell();
        resolve();
      });
    });
  }

  static async open(path: string): Promise<LineClient> {
    const socket = connect(path);
    const client = new LineClient(socket);
    await once(socket, 'connect');
    return client;
  }

  send(line: string | Buffer): void {
    this.socket.write(line);
    this.socket.write('\n');
  }

  /** One request and its answer. */
  async call(method: string, params: unknown = {}): Promise<Answer> {
    const id = `call-${this.answers.length}`;
    this.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    await this.until((answers) => answers.some((answer) => answer.id === id));
    const answer = this.answers.find((one) => one.id === id);
    if (answer === undefined) throw new Error('the answer is there');
    return answer;
  }

  /** Rejects where the connection closes before. */
  async until(enough: (answers: readonly Answer[]) => boolean): Promise<void> {
    while (!enough(this.answers)) {
      if (this.socket.closed) throw new Error(`closed after ${this.answers.length} answers`);
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  close(): void {
    this.socket.destroy();
  }
}
