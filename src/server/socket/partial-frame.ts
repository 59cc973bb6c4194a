import type { FrameDeadline } from './frame-deadline.ts';
import type { Decoder } from './framing.ts';
import type { Lane } from './lane.ts';
import { longFrom, type LongFrames } from './long-frames.ts';

/** A frame of one connection that is not whole yet: how long it may take, and whether it may go on being read. */
export class PartialFrame {
  readonly #decoder: Decoder;
  readonly #deadline: FrameDeadline;
  readonly #longFrames: LongFrames;
  /** Where it counts as a long one; null: it does not. */
  #longOf: Lane | null = null;
  #takeBack: (() => void) | null = null;

  constructor(decoder: Decoder, deadline: FrameDeadline, longFrames: LongFrames) {
    this.#decoder = decoder;
    this.#deadline = deadline;
    this.#longFrames = longFrames;
  }

  /** A part of a frame may be there. True: more of it may be read; else `go` is called when it may. */
  mayGoOn(lane: Lane, go: () => void): boolean {
    const { partial, heldBytes } = this.#decoder;
    if (partial) this.#deadline.begin();
    if (heldBytes < longFrom || this.#longOf !== null) return true;
    if (this.#takeBack !== null) return false;
    this.#takeBack = this.#longFrames.begin(lane, () => {
      this.#takeBack = null;
      this.#longOf = lane;
      go();
    });
    if (this.#takeBack !== null) return false;
    this.#longOf = lane;
    return true;
  }

  /** The frame is whole, or is waited for no more. */
  end(): void {
    this.#deadline.end();
    this.#takeBack?.();
    this.#takeBack = null;
    if (this.#longOf === null) return;
    const lane = this.#longOf;
    this.#longOf = null;
    this.#longFrames.end(lane);
  }

  /** The connection is closed. */
  stop(): void {
    this.end();
    this.#deadline.stop();
  }
}
