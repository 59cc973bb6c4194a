import { Socket } from 'node:net';
import { describeFailure, errnoName } from '../base/errors.ts';
import { ConnectionError } from './connection-error.ts';
import { LineDecoder } from './line-decoder.ts';

/** Longest answer that is read, in bytes; an agent's longest frame is 16 MiB. */
const maxAnswerBytes = 32 * 1024 * 1024;

/** sun_path of Linux holds 108 bytes with the NUL; a longer path would be cut in silence. */
const maxPathBytes = 107;

/** Who owns a channel hears of it through these; `closed` comes once, and last. */
export interface ChannelOwner {
  opened(channel: Channel): void;
  line(channel: Channel, text: string): void;
  /** Everything written so far has been taken by the kernel. */
  drained(channel: Channel): void;
  closed(channel: Channel, failure: ConnectionError): void;
}

/** One connection to the agent, from connect to close; never reused after it has closed. */
export class Channel {
  readonly #path: string;
  readonly #owner: ChannelOwner;
  readonly #socket = new Socket();
  readonly #decoder = new LineDecoder(maxAnswerBytes);
  #opened = false;
  #failure: ConnectionError | null = null;

  constructor(path: string, owner: ChannelOwner) {
    this.#path = path;
    this.#owner = owner;
    this.#socket
      .on('connect', () => {
        this.#opened = true;
        owner.opened(this);
      })
      .on('data', (chunk: Buffer) => {
        this.#read(chunk);
      })
      .on('drain', () => {
        owner.drained(this);
      })
      .on('error', (error) => {
        this.#failure ??= this.#translate(error);
      })
      .on('close', () => {
        owner.closed(this, this.#failure ?? this.#translate(null));
      });
    if (Buffer.byteLength(path) <= maxPathBytes) {
      this.#socket.connect({ path });
    } else {
      const why = `the socket path is longer than ${maxPathBytes} bytes: ${path}`;
      this.fail(new ConnectionError('unreachable', why));
    }
  }

  /** For who wants to know whom it is connected to. */
  get socket(): Socket {
    return this.#socket;
  }

  /** True between connect and the first sign of its end. */
  get isOpen(): boolean {
    return this.#opened && this.#failure === null && this.#socket.writable;
  }

  /** True once it has been connected, whatever became of it. */
  get wasOpen(): boolean {
    return this.#opened;
  }

  /** False where the kernel takes no more for now: write again after `drained`. */
  write(text: string): boolean {
    return this.#socket.write(text);
  }

  /** Ends the connection; `closed` follows with this failure. */
  fail(failure: ConnectionError): void {
    this.#failure ??= failure;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const lines = this.#decoder.push(chunk);
    if (lines === null) {
      this.fail(
        new ConnectionError(
          'protocol',
          `an answer from ${this.#path} is longer than ${maxAnswerBytes} bytes; the connection was closed`,
        ),
      );
      return;
    }
    for (const line of lines) {
      if (this.#failure !== null) return;
      this.#owner.line(this, line);
    }
  }

  #translate(error: Error | null): ConnectionError {
    const path = this.#path;
    const options = error === null ? {} : { cause: error };
    if (this.#opened) {
      const why = error === null ? '' : ` (${describeFailure(error)})`;
      return new ConnectionError(
        'lost',
        `the agent at ${path} closed the connection${why}`,
        options,
      );
    }
    return new ConnectionError('unreachable', unreachable(path, error), options);
  }
}

const reasons: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: (path) => `no agent at ${path}: there is no such socket; is signing-agent running?`,
  ECONNREFUSED: (path) => `no agent at ${path}: nobody listens there; is signing-agent running?`,
  EACCES: (path) => `no access to the agent's socket ${path}: permission denied`,
  EAGAIN: (path) => `the agent at ${path} accepts no connection at the moment`,
};

function unreachable(path: string, error: Error | null): string {
  const reason = reasons[errnoName(error) ?? ''];
  if (reason !== undefined) return reason(path);
  return `cannot connect to ${path}: ${error === null ? 'closed' : describeFailure(error)}`;
}
