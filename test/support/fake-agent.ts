import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A request as it came over the socket. */
export interface FakeRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** Answers one request through `reply`, or misbehaves through `socket`. */
export type Script = (request: FakeRequest, reply: Reply, socket: Socket) => void;

interface Reply {
  result(value: unknown): void;
  error(code: number, message: string, data?: object): void;
}

/** An agent's side of the socket that does what a test tells it: a real Unix socket, scripted answers. */
export class FakeAgent {
  readonly path: string;
  readonly requests: FakeRequest[] = [];
  connections = 0;
  readonly #dir: string;
  readonly #sockets = new Set<Socket>();
  readonly #script: Script;
  #server: Server | null = null;

  constructor(script: Script) {
    this.#script = script;
    this.#dir = mkdtempSync(join(tmpdir(), 'fake-agent-'));
    this.path = join(this.#dir, 'agent.sock');
  }

  static async start(script: Script): Promise<FakeAgent> {
    const agent = new FakeAgent(script);
    await agent.listen();
    return agent;
  }

  /** Requests of one method, in the order they came. */
  asked(method: string): FakeRequest[] {
    return this.requests.filter((request) => request.method === method);
  }

  listen(): Promise<void> {
    const server = createServer((socket) => {
      this.#serve(socket);
    });
    this.#server = server;
    return new Promise((resolve) => {
      server.listen(this.path, resolve);
    });
  }

  /** Drops every connection and stops listening; `listen` starts again. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    let text = '';
    socket
      .on('close', () => this.#sockets.delete(socket))
      .on('error', () => {
        // The tests drop connections on purpose.
      })
      .on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) this.#handle(JSON.parse(line) as FakeRequest, socket);
      });
  }

  #handle(request: FakeRequest, socket: Socket): void {
    this.requests.push(request);
    const send = (answer: object): void => {
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: request.id, ...answer })}\n`);
    };
    const reply: Reply = {
      result: (result) => {
        send({ result });
      },
      error: (code, message, data) => {
        send({ error: { code, message, ...(data === undefined ? {} : { data }) } });
      },
    };
    this.#script(request, reply, socket);
  }
}
