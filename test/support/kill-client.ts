import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Answer } from './line-client.ts';

/** One request at a time on a connection that may end at any moment; nothing is ever sent twice. */
export class KillClient {
  readonly #socket: Socket;
  #received = '';
  #calls = 0;
  #changed: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined); // 'close' follows
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#received += text;
      this.#changed();
    });
    socket.on('close', () => {
      this.#changed();
    });
  }

  static async open(path: string): Promise<KillClient> {
    const socket = connect(path);
    const client = new KillClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Resolves with the answer; null where the connection ended before it came. */
  async call(method: string, params: object): Promise<Answer | null> {
    this.#calls += 1;
    this.#socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: this.#calls, method, params })}\n`);
    for (;;) {
      const end = this.#received.indexOf('\n');
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 1);
        const answer = JSON.parse(line) as Answer;
        if (answer.id !== this.#calls) throw new Error(`an answer to call ${String(answer.id)}`);
        return answer;
      }
      if (this.#socket.closed) return null;
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
