import type { Socket } from 'node:net';
import { describeFailure, errnoName } from '../../base/errors.ts';
import { endAndLinger } from './closing.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { IdleDeadline } from './idle-deadline.ts';
import { Input } from './input.ts';
import type { FrameSource, Lane } from './lane.ts';
import { Output } from './output.ts';
import { Presence } from './presence.ts';
import { Turn } from './turn.ts';
import { Work, type Request } from './work.ts';

/**
 * One client: frames in, answers out, in any order but where one request alone may be in flight. Reading stops while
 * the client does not take its answers, or sends more with enough in flight or others' frames to come first.
 */
export class Connection<Answer extends string | Buffer> implements FrameSource {
  lane: Lane;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions<Answer>;
  readonly #input: Input;
  #idle: IdleDeadline | null = null;
  readonly #presence: Presence;

  readonly #inFlight: Work;
  readonly #output: Output<Answer>;
  readonly #turn = new Turn(() => {
    this.#endTurn();
  });
  /** No more frames are handed on. */
  #finishing = false;
  /** What is said behind the answers that are still due. */
  #lastWords: Answer[] = [];
  #closed = false;

  constructor(options: ConnectionOptions<Answer>) {
    const { socket, limits, handler, framing, shared, log } = options;
    this.#socket = socket;
    this.#inFlight = new Work(limits);
    this.#options = options;
    this.lane = shared.lanes.enter(handler.share);
    const { lane } = this;
    const onStalled = (): void => {
      log.debug('connection closed: its client takes no answers');
      this.destroy();
    };
    this.#output = new Output({ socket, framing, limits, lane, onStalled });
    this.#input = new Input({
      ...{ socket, lane, longFrames: shared.longFrames, frameDeadlineMs: limits.frameDeadlineMs },
      decoder: framing.decoder(this.#maxFrameBytes),
      onTooSlow: () => {
        this.finish(framing.tooSlow(limits));
      },
      onReady: () => {
        this.#askForTurn();
      },
    });
    this.#watchIdle();
    this.#presence = new Presence(options.hasHungUp);
    this.#listen();
    // Where others of its share wait, it is read when its turn comes.
    if (lane.isWaiting) this.#askForTurn();
    else this.#input.read();
  }

  /** Hands one frame on, unless there is none or none may be now. */
  handOn(now: number): boolean {
    if (this.#finishing) return false;
    if (!this.#input.isReading && this.#presence.isGone(now)) {
      this.destroy();
      return false;
    }
    if (this.#congested || this.#turn.isFull) {
      this.#keepWaiting();
      if (!this.#congested) this.#turn.planEnd();
      return false;
    }
    const frame = this.#input.next(this.#maxFrameBytes);
    if (frame === null) this.#wantMore();
    else this.#begin(frame);
    return frame !== null;
  }

  /** Hands no more frames on, sends the answers that are due and then `lastWords`, closes. */
  finish(lastWords?: Answer): void {
    if (this.#finishing) return;
    this.#finishing = true;
    if (lastWords !== undefined) this.#lastWords = [lastWords];
    // What is still due may take its time: nothing that nobody will handle is read meanwhile.
    this.#input.end();
    this.#endWhenAnswered();
  }

  /** The agent stops: what the client has sent is handed on and answered, then the connection is closed. */
  drain(): void {
    if (this.#finishing) return;
    this.#input.drain({
      unreadBytes: this.#options.unreadBytes,
      isBusy: () => this.#congested || this.#inFlight.count + this.#output.count > 0,
      onEnd: () => {
        this.finish();
      },
    });
  }

  /** Waits for no request that is in work: each is answered that it was not done in time. */
  giveUp(): void {
    for (const request of this.#inFlight.requests()) {
      this.#answered(request, this.#options.handler.unfinished(request.frame));
    }
  }

  /** Closes at once; answers that are due are lost. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** An `authenticate` may change it from one frame to the next. */
  get #maxFrameBytes(): number {
    const { maxFrameBytes } = this.#options.limits;
    return Math.min(this.#options.handler.maxFrameBytes ?? maxFrameBytes, maxFrameBytes);
  }

  get #congested(): boolean {
    return this.#output.isHeldUp || this.#inFlight.isFull;
  }

  #listen(): void {
    this.#socket.on('drain', () => {
      this.#output.drained();
      this.#options.shared.scheduler.eased(this.lane);
      this.#endTurn();
    });
    this.#socket.on('error', (error) => {
      this.#options.log.debug({ errno: errnoName(error) }, 'connection failed');
    });
    this.#socket.on('close', () => {
      this.#close();
    });
  }

  #askForTurn(): void {
    if (this.#finishing) return;
    const { scheduler } = this.#options.shared;
    scheduler.ready(this);
    if (scheduler.isWaiting(this)) this.#keepWaiting();
  }

  /** With nothing left here, what the client sends next says whether it must be kept waiting. */
  #keepWaiting(): void {
    if (this.#input.isWaiting) this.#input.pause();
  }

  #begin(frame: Buffer): void {
    this.#idle?.restart();
    this.#turn.begin();
    const request = this.#inFlight.begin(frame, this.lane);
    this.#answerTo(frame).then(
      (answer) => {
        this.#answered(request, answer);
      },
      (error: unknown) => {
        // A bug of `answer`: the client cannot be told which request it was.
        this.#options.log.error({ err: error }, 'a request was left without an answer');
        this.destroy();
        if (this.#inFlight.end(request)) this.#settle(request.lane);
      },
    );
    // What an `authenticate` says is decided by now.
    if (this.#options.handler.share !== this.lane.share) this.#move();
  }

  /** A bug of `answer` ends this connection, and not the agent. */
  #answerTo(frame: Buffer): Promise<Answer> {
    try {
      return this.#options.handler.answer(frame);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(describeFailure(error)));
    }
  }

  #move(): void {
    const { handler, shared, noRoomFor } = this.#options;
    // Each connection has an object of its own for the share that it has with others.
    const { kind, name } = this.lane.share;
    if (handler.share.kind === kind && handler.share.name === name) return;
    const fault = noRoomFor(handler.share);
    if (fault !== null) {
      this.finish(fault);
      return;
    }
    const before = this.lane;
    this.lane = shared.lanes.enter(handler.share);
    this.#output.move(this.lane);
    this.#input.move(this.lane);
    shared.lanes.leave(before);
    shared.scheduler.eased(before);
    this.#watchIdle();
  }

  /** Whose scope was taken back is one of those without. */
  #watchIdle(): void {
    const isStranger = (): boolean => this.lane.share.kind === 'stranger';
    if (!isStranger() || this.#idle !== null) return;
    const { limits, framing } = this.#options;
    this.#idle = new IdleDeadline(limits.idleWithoutScopeMs, () => {
      if (isStranger() && this.#inFlight.count === 0) this.finish(framing.idle(limits));
    });
  }

  #answered(request: Request, answer: Answer): void {
    if (!this.#inFlight.end(request)) return;
    if (!this.#closed) this.#output.push(answer);
    this.#settle(request.lane);
  }

  /** A request that counted there is done. */
  #settle(lane: Lane): void {
    this.#options.shared.scheduler.eased(lane);
    if (this.#closed) {
      if (this.#inFlight.count === 0) this.#options.onDone();
      return;
    }
    // Nothing else is due: what could be written together is here. Else wait for the end of the turn.
    if (this.#inFlight.count === 0) this.#flush();
    if (this.#finishing) this.#endWhenAnswered();
    if (this.#output.count > 0 || !this.#input.isReading) this.#turn.planEnd();
  }

  #endTurn(): void {
    if (this.#closed) return;
    this.#flush();
    if (!this.#input.isReading && !this.#congested) this.#askForTurn();
  }

  #flush(): void {
    if (!this.#output.flush() && !this.#finishing) this.#input.pause();
    // What the client has taken may have been all that its share could have.
    this.#options.shared.scheduler.eased(this.lane);
  }

  /** Every whole frame has been handed on. */
  #wantMore(): void {
    if (this.#input.isTooLarge) {
      this.finish(this.#options.framing.tooLarge(this.#maxFrameBytes));
      return;
    }
    if (this.#input.hasEnded) {
      this.finish(this.#input.isPartial ? this.#options.framing.cutOff() : undefined);
      return;
    }
    this.#input.read();
  }

  #endWhenAnswered(): void {
    if (this.#inFlight.count > 0 || this.#output.hasEnded || this.#closed) return;
    const rest = this.#output.end(this.#lastWords);
    // A client that has shut its side down (nc -N) may take its time to read its answers, as long as it takes some.
    if (this.#input.hasEnded) {
      this.#socket.end(rest);
      this.#output.awaitEnd();
    } else {
      endAndLinger(this.#socket, rest);
    }
  }

  #close(): void {
    const { scheduler } = this.#options.shared;
    this.#closed = true;
    this.#finishing = true;
    scheduler.forget(this);
    this.#output.discard();
    this.#input.stop();
    this.#idle?.end();
    scheduler.eased(this.lane);
    if (this.#inFlight.count === 0) this.#options.onDone();
  }
}
