import type { Socket } from 'node:net';

/** A client that is in the middle of sending goes on within that time, milliseconds. */
const quietMs = 100;
/** What was sent behind the signal is answered for so long, milliseconds: some clients never pause. */
const longestBehind = 2000;

export interface LastInputOptions {
  readonly socket: Socket;
  /** Bytes that the kernel has for the socket. */
  readonly unreadBytes: () => number;
  /** Whether requests are in work, answers are not written yet, or input is kept waiting. */
  readonly isBusy: () => boolean;
  /** All that must be answered was handed on, and nothing more comes for now. */
  readonly onEnd: () => void;
}

/**
 * The end of what a client sends to an agent that stops. What was in the socket when the agent was told is read to its
 * last byte, however long the client takes over its answers. What comes behind it is read for as long as it comes
 * without a pause: a client that the kernel kept waiting in the middle of a burst has sent it all, as it sees it.
 */
export class LastInput {
  readonly #options: LastInputOptions;
  /** `bytesRead` of the socket when all is read that was there at the start. */
  readonly #due: number;
  #endsAt: number | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** Looks at nothing before `begin`. */
  constructor(options: LastInputOptions) {
    this.#options = options;
    this.#due = options.socket.bytesRead + options.unreadBytes();
  }

  /** `isWithinFrame`: the client has sent a part of a frame. One that has nothing under way is not waited for. */
  begin(isWithinFrame: boolean): void {
    if (!isWithinFrame && this.#isQuiet) this.#options.onEnd();
    else this.#watch();
  }

  /** All that was read was handed on. False where that was the last of it: `onEnd` was called. */
  goesOn(): boolean {
    const { socket, onEnd } = this.#options;
    if (socket.bytesRead - socket.readableLength < this.#due) return true;
    this.#endsAt ??= performance.now() + longestBehind;
    if (performance.now() < this.#endsAt) {
      this.#timer?.refresh();
      return true;
    }
    onEnd();
    return false;
  }

  /** Nothing is watched any more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  get #isQuiet(): boolean {
    return !this.#options.isBusy() && this.#options.unreadBytes() === 0;
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      if (this.#isQuiet) this.#options.onEnd();
      else this.#watch();
    }, quietMs);
  }
}
