import type { Socket } from 'node:net';
import { FrameDeadline } from './frame-deadline.ts';
import type { Decoder } from './framing.ts';
import type { Lane } from './lane.ts';
import { LastInput, type LastInputOptions } from './last-input.ts';
import type { LongFrames } from './long-frames.ts';
import { PartialFrame } from './partial-frame.ts';

export interface InputOptions {
  readonly socket: Socket;
  readonly decoder: Decoder;
  readonly longFrames: LongFrames;
  readonly frameDeadlineMs: number;
  readonly lane: Lane;
  /** A frame took too long. */
  readonly onTooSlow: () => void;
  /** There may be a frame, or what kept more from being read is over. */
  readonly onReady: () => void;
}

/** What one client sends: bytes that are read as long as there is room for them, in whole frames. */
export class Input {
  readonly #socket: Socket;
  readonly #decoder: Decoder;
  readonly #partial: PartialFrame;
  readonly #onReady: () => void;
  #lane: Lane;
  /** As the lane knows it. */
  #buffered = 0;
  #takeBack: (() => void) | null = null;
  #isReading = false;
  #hasEnded = false;
  /** The agent stops. */
  #last: LastInput | null = null;

  /** Reads nothing before `read`. */
  constructor(options: InputOptions) {
    const { socket, decoder, longFrames, frameDeadlineMs, lane, onTooSlow, onReady } = options;
    this.#socket = socket;
    this.#decoder = decoder;
    this.#lane = lane;
    this.#onReady = onReady;
    const deadline = new FrameDeadline(frameDeadlineMs, () => this.#isReading, onTooSlow);
    this.#partial = new PartialFrame(decoder, deadline, longFrames);
    socket.on('data', (chunk) => {
      decoder.push(chunk);
      this.#count();
      onReady();
    });
    socket.on('end', () => {
      this.#hasEnded = true;
      onReady();
    });
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** The client sends no more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** A part of a frame is there, and nothing behind it. */
  get isPartial(): boolean {
    return this.#decoder.partial;
  }

  /** There are bytes that nobody has looked at, or the end is to be told. */
  get isWaiting(): boolean {
    return this.#decoder.waiting || this.#hasEnded;
  }

  /** A frame was longer than it may be: nothing comes behind it. */
  get isTooLarge(): boolean {
    return this.#decoder.tooLarge;
  }

  /** The next whole frame, of so many bytes at most; null: there is none yet. */
  next(maxFrameBytes: number): Buffer | null {
    this.#decoder.maxFrameBytes = maxFrameBytes;
    const frame = this.#decoder.next();
    this.#count();
    if (frame !== null) this.#partial.end();
    return frame;
  }

  /** The agent stops: see LastInput, of which this says what input there is. */
  drain({ unreadBytes, isBusy, onEnd }: Omit<LastInputOptions, 'socket'>): void {
    if (this.#last !== null) return;
    const socket = this.#socket;
    const hasBytes = (): boolean => this.#decoder.waiting || socket.readableLength > 0;
    this.#last = new LastInput({
      ...{ socket, unreadBytes, onEnd },
      isBusy: () => isBusy() || hasBytes(),
    });
    this.#last.begin(this.isPartial);
  }

  /** Reads on; where there is no room for more of this share, when there is. */
  read(): void {
    if (this.#last?.goesOn() === false) return;
    if (this.#takeBack !== null) return;
    if (!this.#lane.hasRoomToRead) {
      this.pause();
      this.#takeBack = this.#lane.awaitRoom(() => {
        this.#takeBack = null;
        this.#onReady();
      });
      return;
    }
    if (!this.#partial.mayGoOn(this.#lane, this.#onReady)) {
      this.pause();
      return;
    }
    if (this.#isReading) return;
    this.#isReading = true;
    this.#socket.resume();
  }

  pause(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#socket.pause();
  }

  /** From now on it counts there. */
  move(lane: Lane): void {
    this.#lane.buffered(-this.#buffered);
    lane.buffered(this.#buffered);
    this.#lane = lane;
  }

  /** No frame is waited for any more. */
  end(): void {
    this.#last?.stop();
    this.#partial.end();
    this.pause();
  }

  /** The connection is closed. */
  stop(): void {
    this.#last?.stop();
    this.#partial.stop();
    this.#takeBack?.();
    this.#lane.buffered(-this.#buffered);
    this.#buffered = 0;
  }

  #count(): void {
    const { waitingBytes } = this.#decoder;
    this.#lane.buffered(waitingBytes - this.#buffered);
    this.#buffered = waitingBytes;
  }
}
