import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SshReader, sshString, uint32 } from '../../src/formats/ssh/wire.ts';

export const failure = Buffer.of(5);
export const success = Buffer.of(6);
export const listRequest = Buffer.of(11);

export interface ShownKey {
  readonly blob: Buffer;
  readonly comment: string;
}

export function signRequest(blob: Uint8Array, data: Uint8Array, flags = 0): Buffer {
  return Buffer.concat([Buffer.of(13), sshString(blob), sshString(data), uint32(flags)]);
}

export function lockRequest(passphrase: string): Buffer {
  return Buffer.concat([Buffer.of(22), sshString(passphrase)]);
}

export function unlockRequest(passphrase: string): Buffer {
  return Buffer.concat([Buffer.of(23), sshString(passphrase)]);
}

export function extensionRequest(name: string, ...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(27), sshString(name), ...parts]);
}

/** A client of the agent protocol that knows nothing but messages: what goes out is up to the test. */
export class SshAgentClient {
  readonly socket: Socket;
  /** Whole answers without their length, in the order in which they came. */
  readonly answers: Buffer[] = [];
  readonly closed: Promise<void>;
  #rest: Buffer = Buffer.alloc(0);
  #changed: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => null); // 'close' follows, and is what tests wait for
    socket.on('data', (chunk) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      for (let whole = this.#whole(); whole !== null; whole = this.#whole()) {
        this.answers.push(whole);
      }
      for (const tell of this.#changed.splice(0)) tell();
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const tell of this.#changed.splice(0)) tell();
        resolve();
      });
    });
  }

  static async open(path: string): Promise<SshAgentClient> {
    const socket = connect(path);
    const client = new SshAgentClient(socket);
    await once(socket, 'connect');
    return client;
  }

  send(...messages: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(messages.map(sshString)));
  }

  /** Sends these requests behind each other and answers what they are answered. */
  async ask(...messages: readonly Uint8Array[]): Promise<Buffer[]> {
    const from = this.answers.length;
    this.send(...messages);
    await this.until(from + messages.length);
    return this.answers.slice(from);
  }

  async list(): Promise<ShownKey[]> {
    const [answer = failure] = await this.ask(listRequest);
    const reader = new SshReader(answer);
    if (reader.byte() !== 12) throw new Error(`no list of keys: ${answer.toString('hex')}`);
    const keys = Array.from({ length: reader.uint32() }, () => ({
      blob: reader.string(),
      comment: reader.text(),
    }));
    reader.end();
    return keys;
  }

  /** The signature's blob; null where it was refused. */
  async sign(blob: Uint8Array, data: Uint8Array, flags = 0): Promise<Buffer | null> {
    const [answer = failure] = await this.ask(signRequest(blob, data, flags));
    if (answer.equals(failure)) return null;
    const reader = new SshReader(answer);
    if (reader.byte() !== 14) throw new Error(`no signature: ${answer.toString('hex')}`);
    const signature = reader.string();
    reader.end();
    return signature;
  }

  /** Rejects where the connection closes before there are so many answers. */
  async until(count: number): Promise<void> {
    while (this.answers.length < count) {
      if (this.socket.closed) throw new Error(`closed after ${this.answers.length} answers`);
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #whole(): Buffer | null {
    if (this.#rest.length < 4) return null;
    const end = 4 + this.#rest.readUInt32BE();
    if (this.#rest.length < end) return null;
    const message = this.#rest.subarray(4, end);
    this.#rest = this.#rest.subarray(end);
    return message;
  }
}
