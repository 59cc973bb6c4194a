import type { FrameSource, Lane } from './lane.ts';

/** Main thread time for frames in one turn of the event loop, milliseconds. */
const longestTurn = 2;
/** The same where what else there is to do in a turn takes long, and what a turn should not exceed with it. */
const shortestTurn = 0.3;
const wholeTurn = 3;
/** The same behind an accepted connection: a turn of the loop accepts one, and others may wait behind it. */
const acceptingTurn = 0.1;
/** Who asked something within that time counts as somebody beside whom others are not alone, milliseconds. */
const lately = 1000;
/** What it costs to look at a connection, and to read from it later, milliseconds. */
const visit = 0.02;

/**
 * Whose frame is next, over all connections of all listeners: by share, then by connection, each in its turn, for a
 * bounded time in each turn of the event loop. Every second turn is kept for `own` shares. Who is alone goes at once.
 */
export class FrameScheduler {
  readonly #now: () => number;
  readonly #laneOf = new Map<FrameSource, Lane>();
  /** Lanes whose turn comes, `own` ones apart. */
  readonly #own: Lane[] = [];
  readonly #others: Lane[] = [];
  #ownIsNext = true;
  /** Time left for frames in this turn of the event loop. */
  #left = longestTurn;
  #isRunning = false;
  #isPlanned = false;
  #endedAt = 0;
  #hasAccepted = false;
  /** Whose frame was the last one, and when one of another share came before it. */
  #last: Lane | null = null;
  #mixedAt = -Infinity;
  #clock = 0;

  /** `now`: milliseconds on the monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** There may be a frame of it. At once where nobody else waits, and this turn of the loop has time left. */
  ready(source: FrameSource): void {
    if (this.#laneOf.has(source)) return;
    this.#wait(source);
    if (!this.#isRunning && this.#left > 0) this.#run();
    this.#plan();
  }

  /** A connection was accepted in this turn of the event loop. */
  accepted(): void {
    this.#hasAccepted = true;
  }

  /** It has been said to be ready, and its turn has not come. */
  isWaiting(source: FrameSource): boolean {
    return this.#laneOf.has(source);
  }

  /** It is gone: no frame of it is asked for any more. */
  forget(source: FrameSource): void {
    this.#laneOf.get(source)?.leave(source);
    this.#laneOf.delete(source);
  }

  /** Something of a lane is done: it may have been all that it could have. */
  eased(lane: Lane): void {
    this.#queue(lane);
    this.#plan();
  }

  #wait(source: FrameSource): void {
    if (this.#laneOf.has(source)) return;
    const { lane } = source;
    lane.wait(source);
    this.#laneOf.set(source, lane);
    this.#queue(lane);
  }

  #queue(lane: Lane): void {
    if (lane.isQueued || !lane.isWaiting || lane.isFull(this.#isAlone)) return;
    lane.isQueued = true;
    (lane.share.kind === 'own' ? this.#own : this.#others).push(lane);
  }

  #plan(): void {
    if (this.#isPlanned) return;
    if (this.#own.length + this.#others.length === 0 && this.#left === longestTurn) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#left = this.#timeForTurn();
      this.#run();
      // With nobody left, the next one finds the whole time.
      if (this.#own.length + this.#others.length === 0) this.#left = longestTurn;
      this.#plan();
    });
  }

  #run(): void {
    this.#isRunning = true;
    let now = this.#now();
    try {
      for (let lane = this.#next(); lane !== null; lane = this.#next()) {
        const { quantumMs } = lane.limits;
        lane.credit = Math.min(quantumMs, lane.credit + quantumMs);
        this.#note(lane, now);
        while (lane.credit > 0 && this.#left > 0 && !lane.isFull(this.#isAlone)) {
          const source = lane.next();
          if (source === null) break;
          this.#laneOf.delete(source);
          const hasMore = source.handOn(now);
          const after = this.#now();
          const taken = after - now + (hasMore ? 0 : visit);
          now = after;
          lane.credit -= taken;
          this.#left -= taken;
          if (hasMore) this.#wait(source);
        }
        lane.isQueued = false;
        if (!lane.isWaiting) lane.credit = Math.min(0, lane.credit);
        this.#queue(lane);
        if (this.#left <= 0) break;
      }
    } finally {
      this.#isRunning = false;
      this.#endedAt = this.#own.length + this.#others.length > 0 ? now : 0;
    }
  }

  get #isAlone(): boolean {
    return this.#clock - this.#mixedAt > lately;
  }

  #note(lane: Lane, now: number): void {
    this.#clock = now;
    if (this.#last !== null && this.#last !== lane) this.#mixedAt = now;
    this.#last = lane;
  }

  #timeForTurn(): number {
    const between = this.#endedAt === 0 ? 0 : this.#now() - this.#endedAt;
    const usual = Math.max(shortestTurn, Math.min(longestTurn, wholeTurn - between));
    const time = this.#hasAccepted ? acceptingTurn : usual;
    this.#hasAccepted = false;
    return time;
  }

  /** Out of its row. */
  #next(): Lane | null {
    const [first, second] = this.#ownIsNext ? [this.#own, this.#others] : [this.#others, this.#own];
    const lane = first.shift() ?? second.shift() ?? null;
    this.#ownIsNext = lane?.share.kind !== 'own';
    return lane;
  }
}
