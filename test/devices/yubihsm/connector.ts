import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { YubiHsm, type DeviceOptions } from './device.ts';
import { DeviceError, type CommandName } from './protocol.ts';

/**
 * What goes wrong, once the device was asked for that command:
 * `lost-reply`: it was done, and the connection ends before the answer; `busy`: it was not done, and the
 * device says so (the connector by 503, where no command is named); `session-loss`: all sessions are gone before it; `hang`: no answer until `release`.
 */
export type Fault = 'lost-reply' | 'busy' | 'session-loss' | 'hang';

interface Order {
  readonly fault: Fault;
  readonly command: CommandName | null;
  times: number;
}

interface ConnectorOptions extends DeviceOptions {
  /** What each command takes a device, milliseconds; it has one at a time. 0: no longer than the emulator. */
  readonly commandTime?: number;
}

/** The emulated device behind an emulated connector (`yubihsm-connector`) on 127.0.0.1. */
export class Connector {
  readonly device: YubiHsm;
  readonly #server: Server;
  readonly #orders: Order[] = [];
  readonly #held: ServerResponse[] = [];
  readonly #commandTime: number;
  #lastCommand: Promise<void> = Promise.resolve();
  #port = 0;

  private constructor({ commandTime = 0, ...options }: ConnectorOptions) {
    this.device = new YubiHsm(options);
    this.#commandTime = commandTime;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** `port` 0: any that is free. */
  static async start(options: ConnectorOptions = {}, port = 0): Promise<Connector> {
    const connector = new Connector(options);
    connector.#port = port;
    await connector.comeBack();
    return connector;
  }

  get port(): number {
    return this.#port;
  }

  /** From now on, so many times; null: whatever the command is. */
  order(
    fault: Fault,
    { command = null, times = 1 }: { command?: CommandName | null; times?: number } = {},
  ): void {
    this.#orders.push({ fault, command, times });
  }

  /** Takes back what was ordered, and lets go what hangs. */
  release(): void {
    this.#orders.splice(0);
    for (const response of this.#held.splice(0)) response.destroy();
  }

  /** Nobody listens any more. */
  async goAway(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async comeBack(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.release();
    if (this.#server.listening) await this.goAway();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/connector/status') {
      response.end(
        `status=OK\nserial=*\nversion=3.0.5\npid=${process.pid}\naddress=127.0.0.1\nport=${this.#port}\n`,
      );
      return;
    }
    if (request.url !== '/connector/api' || request.method !== 'POST') {
      response.writeHead(404).end();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const message = Buffer.concat(chunks);
    if (this.#commandTime > 0) {
      this.#lastCommand = this.#lastCommand.then(() => sleep(this.#commandTime));
      await this.#lastCommand;
    }
    const before = this.#due(null);
    if (before === 'busy') {
      response.writeHead(503).end();
      return;
    }
    if (before === 'session-loss') this.device.sessions.forgetAll();
    let fault: Fault | null = before;
    const answer = this.device.answer(message, (name) => {
      fault ??= this.#due(name);
      if (fault === 'busy') throw new DeviceError('commandUnexecuted');
    });
    // A command is seen once the message is open: what loses sessions then does so for the next one.
    if (fault === 'session-loss') this.device.sessions.forgetAll();
    if (fault === 'lost-reply') {
      response.destroy();
      return;
    }
    if (fault === 'hang') {
      this.#held.push(response);
      return;
    }
    response.setHeader('content-type', 'application/octet-stream');
    response.end(answer);
  }

  #due(command: CommandName | null): Fault | null {
    const order = this.#orders.find((one) => one.command === command && one.times > 0);
    if (order === undefined) return null;
    order.times -= 1;
    return order.fault;
  }
}
