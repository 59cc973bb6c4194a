import type { Share } from '../../access/share.ts';
import { shareLimits, type ShareLimits } from './share-limits.ts';

/** Where the requests of a share are usually in work for longer, fewer are at a time: milliseconds. */
const longestUsual = 25;

/** What hands frames on when it is its turn: a connection. */
export interface FrameSource {
  /** Where it waits. */
  readonly lane: Lane;
  /**
   * Hands one frame on. False: there is none, or none may be handed on now; the source says so when that changes.
   * `now`: milliseconds on the monotonic clock.
   */
  handOn(now: number): boolean;
}

/** One share's part of the agent: who of it waits for a turn, and what it has taken. */
export class Lane {
  readonly share: Share;
  readonly limits: ShareLimits;
  /** In the order of their turns. */
  readonly #waiting = new Set<FrameSource>();
  /** Time that it may still take before the next lane's turn, milliseconds; below 0: what it took too much. */
  credit = 0;
  /** It is among those whose turn comes. */
  isQueued = false;
  /** Open ones. */
  connections = 0;
  inFlight = 0;
  /** How many may be in work, by how long they take. */
  #window: number;
  #usualMs = 0;
  #inFlightBytes = 0;
  #unsentBytes = 0;
  #bufferedBytes = 0;
  /** Who would read on, in the order they came. */
  readonly #readers = new Set<() => void>();

  constructor(share: Share) {
    this.share = share;
    this.limits = shareLimits[share.kind];
    this.#window = this.limits.maxInFlightAlone;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** It has all that it may have: nothing of it is begun until something is done. */
  isFull(isAlone: boolean): boolean {
    const { maxInFlight, maxInFlightAlone, maxInFlightBytes, maxUnsentBytes } = this.limits;
    return (
      this.inFlight >= Math.min(this.#window, isAlone ? maxInFlightAlone : maxInFlight) ||
      this.#inFlightBytes >= maxInFlightBytes ||
      this.#unsentBytes >= maxUnsentBytes
    );
  }

  wait(source: FrameSource): void {
    this.#waiting.add(source);
  }

  /** Whose turn it is, which waits no more; null: nobody waits. */
  next(): FrameSource | null {
    for (const source of this.#waiting) {
      this.#waiting.delete(source);
      return source;
    }
    return null;
  }

  leave(source: FrameSource): boolean {
    return this.#waiting.delete(source);
  }

  begin(bytes: number): void {
    this.inFlight += 1;
    this.#inFlightBytes += bytes;
  }

  /** `ms`: how long it was in work. */
  end(bytes: number, ms: number): void {
    const { fewestInFlight, maxInFlightAlone } = this.limits;
    this.inFlight -= 1;
    this.#usualMs += (ms - this.#usualMs) / 16;
    this.#window =
      this.#usualMs > longestUsual
        ? Math.max(fewestInFlight, this.#window - 1)
        : Math.min(maxInFlightAlone, this.#window + 0.25);
    this.#inFlightBytes -= bytes;
  }

  get hasRoomToRead(): boolean {
    return this.#bufferedBytes < this.limits.maxBufferedBytes;
  }

  /** `go` is called when there is room to read. Answers with what takes that back. */
  awaitRoom(go: () => void): () => void {
    this.#readers.add(go);
    return () => {
      this.#readers.delete(go);
    };
  }

  /** `change`: in bytes that were read and not looked at. */
  buffered(change: number): void {
    this.#bufferedBytes += change;
    if (change >= 0 || !this.hasRoomToRead) return;
    // One may have nothing to read, and so makes room for nobody: with nothing left to look at, all go on.
    const going = [...this.#readers].slice(0, this.#bufferedBytes === 0 ? undefined : 1);
    for (const go of going) {
      this.#readers.delete(go);
      go();
    }
  }

  /** `change`: in bytes of answers that are on their way to clients. */
  unsent(change: number): void {
    this.#unsentBytes += change;
  }
}
