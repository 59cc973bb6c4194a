import { connect, type Socket } from 'node:net';
import { describeFailure, errnoName, type AgentError } from '../../../base/errors.ts';
import { headerLength, responseLength } from '../../../formats/tpm/command.ts';
import { transportError, type TpmTransport } from './transport.ts';

/**
 * The data socket of an emulator, `swtpm socket --server type=unixio,path=PATH`. It serves one connection at a
 * time. `timeLimit` in milliseconds, for the connection and for each command.
 */
export async function connectTpm(path: string, timeLimit: number): Promise<TpmTransport> {
  const socket = await open(path, timeLimit);
  return new SocketTransport(socket, path, timeLimit);
}

function open(path: string, timeLimit: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const give = (error: AgentError): void => {
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => {
      give(transportError(path, 'takes no connection: another program may have it'));
    }, timeLimit);
    socket.once('error', (failure) => {
      clearTimeout(timer);
      const errno = errnoName(failure) ?? describeFailure(failure);
      give(transportError(path, `cannot be connected to (${errno}): is it running?`, failure));
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

interface Waiting {
  readonly resolve: (response: Buffer) => void;
  readonly reject: (failure: AgentError) => void;
  readonly timer: NodeJS.Timeout;
}

class SocketTransport implements TpmTransport {
  readonly exclusive = true;
  readonly #socket: Socket;
  readonly #path: string;
  readonly #timeLimit: number;
  #waiting: Waiting | null = null;
  #received: Buffer = Buffer.alloc(0);
  #broken: AgentError | null = null;

  constructor(socket: Socket, path: string, timeLimit: number) {
    this.#socket = socket;
    this.#path = path;
    this.#timeLimit = timeLimit;
    socket.on('data', (piece) => {
      this.#receive(piece);
    });
    socket.on('error', (failure) => {
      this.#break(`has failed (${errnoName(failure) ?? describeFailure(failure)})`);
    });
    socket.on('close', () => {
      this.#break('has closed its connection');
    });
  }

  send(command: Buffer): Promise<Buffer> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#break('did not answer in time');
      }, this.#timeLimit);
      this.#waiting = { resolve, reject, timer };
      this.#socket.write(command);
    });
  }

  async close(): Promise<void> {
    this.#broken ??= transportError(this.#path, 'was closed');
    if (this.#socket.closed) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.destroy();
    await closed;
  }

  #receive(piece: Buffer): void {
    this.#received = Buffer.concat([this.#received, piece]);
    if (this.#waiting === null) {
      this.#break('says something unasked');
      return;
    }
    if (this.#received.length < headerLength) return;
    try {
      const length = responseLength(this.#received);
      if (this.#received.length < length) return;
      if (this.#received.length > length) {
        this.#break('says more than its answer');
        return;
      }
    } catch (failure) {
      this.#break(`does not speak TPM 2.0: ${describeFailure(failure)}`);
      return;
    }
    const { resolve, timer } = this.#waiting;
    const response = this.#received;
    clearTimeout(timer);
    this.#waiting = null;
    this.#received = Buffer.alloc(0);
    resolve(response);
  }

  #break(what: string): void {
    this.#broken ??= transportError(this.#path, what);
    this.#socket.destroy();
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    clearTimeout(waiting.timer);
    waiting.reject(this.#broken);
  }
}
