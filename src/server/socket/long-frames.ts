import type { Lane } from './lane.ts';

/** What one share may hold of frames that are not whole, bytes, as far as that is two frames or more; all of them. */
const mostOfShare = 16 * 1024 * 1024;
const sharesOverall = 4;
/** A frame that is not whole is long from so many bytes on. */
export const longFrom = 8192;

interface Waiting {
  readonly lane: Lane;
  readonly go: () => void;
}

/**
 * Who may be in the middle of a long frame. Its bytes are kept until it is whole, so that a thousand connections could
 * hold as many of the longest: only so many of a share are read on at a time. Each of them gets to its end, or to the
 * deadline of its frame.
 */
export class LongFrames {
  readonly #mostOfShare: number;
  readonly #of = new Map<Lane, number>();
  #total = 0;
  #waiting: Waiting[] = [];

  constructor(maxFrameBytes: number) {
    this.#mostOfShare = Math.max(2, Math.floor(mostOfShare / maxFrameBytes));
  }

  /** Answers null where it may go on, or else with what it takes back; `go` is called when it may. */
  begin(lane: Lane, go: () => void): (() => void) | null {
    if (this.#hasRoom(lane)) {
      this.#take(lane);
      return null;
    }
    const waiting = { lane, go };
    this.#waiting.push(waiting);
    return () => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
    };
  }

  /** Of one that went on: the frame is whole, or comes no more. */
  end(lane: Lane): void {
    this.#total -= 1;
    const left = (this.#of.get(lane) ?? 0) - 1;
    if (left > 0) this.#of.set(lane, left);
    else this.#of.delete(lane);
    const at = this.#waiting.findIndex((one) => this.#hasRoom(one.lane));
    const [next] = at === -1 ? [] : this.#waiting.splice(at, 1);
    if (next === undefined) return;
    this.#take(next.lane);
    next.go();
  }

  #hasRoom(lane: Lane): boolean {
    const ofShare = Math.min(this.#mostOfShare, lane.limits.maxLongFrames);
    // Room for one share more is kept for `own` ones.
    const shares = lane.share.kind === 'own' ? sharesOverall + 1 : sharesOverall;
    return this.#total < this.#mostOfShare * shares && (this.#of.get(lane) ?? 0) < ofShare;
  }

  #take(lane: Lane): void {
    this.#total += 1;
    this.#of.set(lane, (this.#of.get(lane) ?? 0) + 1);
  }
}
