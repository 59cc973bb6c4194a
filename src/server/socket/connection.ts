import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { errnoName } from '../../base/errors.ts';
import { endAndLinger } from './closing.ts';
import type { ConnectionOptions, SharedParts } from './connection-options.ts';
import { FrameDeadline } from './frame-deadline.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { Decoder, Framing } from './framing.ts';
import { IdleDeadline } from './idle-deadline.ts';
import type { FrameSource, Lane } from './lane.ts';
import { LastInput } from './last-input.ts';
import type { SocketLimits } from './limits.ts';
import { Output } from './output.ts';
import { PartialFrame } from './partial-frame.ts';
import { Work, type Request } from './work.ts';

/** A client that is kept waiting is looked after so often whether it is there at all, milliseconds. */
const lookAfter = 5;

/**
 * One client: frames in, answers out, in any order but where one request alone may be in flight. Reading stops while
 * the client does not take its answers, or sends more with enough in flight or others' frames to come first.
 */
export class Connection<Answer extends string | Buffer> implements FrameSource {
  lane: Lane;
  readonly #socket: Socket;
  readonly #limits: SocketLimits;
  readonly #handler: FrameHandler<Answer>;
  readonly #framing: Framing<Answer>;
  readonly #shared: SharedParts;
  readonly #log: Logger;
  readonly #options: Pick<ConnectionOptions<Answer>, 'unreadBytes' | 'hasHungUp' | 'onDone'>;
  readonly #decoder: Decoder;
  readonly #partial: PartialFrame;
  readonly #idle: IdleDeadline | null;

  readonly #inFlight: Work;
  readonly #output: Output<Answer>;
  #turnPlanned = false;
  #reading = true;
  #inputEnded = false;
  #lookedAt = 0;
  /** The agent stops. */
  #lastInput: LastInput | null = null;
  /** No more frames are handed on. */
  #finishing = false;
  /** What is said behind the answers that are still due. */
  #lastWords: Answer[] = [];
  #closed = false;

  constructor(options: ConnectionOptions<Answer>) {
    const { socket, limits, handler, framing, shared, log } = options;
    this.#socket = socket;
    this.#limits = limits;
    this.#inFlight = new Work(limits);
    this.#handler = handler;
    this.#framing = framing;
    this.#shared = shared;
    this.#log = log;
    this.#options = options;
    this.lane = shared.lanes.enter(handler.share);
    const { lane } = this;
    const onStalled = (): void => {
      log.debug('connection closed: its client takes no answers');
      this.destroy();
    };
    this.#output = new Output({ socket, framing, limits, lane, onStalled });
    this.#decoder = framing.decoder(this.#maxFrameBytes);
    const deadline = new FrameDeadline(
      limits.frameDeadlineMs,
      () => this.#reading,
      () => {
        this.finish(framing.tooSlow(limits));
      },
    );
    this.#partial = new PartialFrame(this.#decoder, deadline, shared.longFrames);
    this.#idle = this.#idleDeadline();
    this.#listen();
  }

  /** Hands one frame on, unless there is none or none may be now. */
  handOn(now: number): boolean {
    if (this.#finishing) return false;
    if (!this.#reading && now - this.#lookedAt > lookAfter) {
      this.#lookedAt = now;
      if (this.#options.hasHungUp()) {
        this.destroy();
        return false;
      }
    }
    if (this.#congested) {
      this.#keepWaiting();
      return false;
    }
    this.#decoder.maxFrameBytes = this.#maxFrameBytes;
    const frame = this.#decoder.next();
    if (frame === null) this.#wantMore();
    else this.#begin(frame);
    return frame !== null;
  }

  /** Hands no more frames on, sends the answers that are due and then `lastWords`, closes. */
  finish(lastWords?: Answer): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#partial.end();
    this.#lastInput?.stop();
    if (lastWords !== undefined) this.#lastWords = [lastWords];
    // What is still due may take its time: nothing that nobody will handle is read meanwhile.
    this.#pauseReading();
    this.#endWhenAnswered();
  }

  /** The agent stops: what the client has sent is handed on and answered, then the connection is closed. */
  drain(): void {
    if (this.#finishing || this.#lastInput !== null) return;
    this.#lastInput = new LastInput({
      socket: this.#socket,
      unreadBytes: this.#options.unreadBytes,
      isBusy: () =>
        this.#congested ||
        this.#inFlight.count + this.#output.count + this.#socket.readableLength > 0 ||
        this.#decoder.waiting,
      onEnd: () => {
        this.finish();
      },
    });
    this.#lastInput.begin(this.#decoder.partial);
  }

  /** Waits for no request that is in work: each is answered that it was not done in time. */
  giveUp(): void {
    for (const request of this.#inFlight.requests()) {
      this.#answered(request, this.#handler.unfinished(request.frame));
    }
  }

  /** Closes at once; answers that are due are lost. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** An `authenticate` may change it from one frame to the next. */
  get #maxFrameBytes(): number {
    const { maxFrameBytes } = this.#limits;
    return Math.min(this.#handler.maxFrameBytes ?? maxFrameBytes, maxFrameBytes);
  }

  get #congested(): boolean {
    return this.#output.isHeldUp || this.#inFlight.isFull;
  }

  #listen(): void {
    this.#socket.on('data', (chunk) => {
      if (this.#finishing) return;
      this.#decoder.push(chunk);
      this.#askForTurn();
    });
    this.#socket.on('end', () => {
      this.#inputEnded = true;
      this.#askForTurn();
    });
    this.#socket.on('drain', () => {
      this.#output.drained();
      this.#shared.scheduler.eased(this.lane);
      this.#turn();
    });
    // 'close' follows.
    this.#socket.on('error', (error) => {
      this.#log.debug({ errno: errnoName(error) }, 'connection failed');
    });
    this.#socket.on('close', () => {
      this.#close();
    });
  }

  #idleDeadline(): IdleDeadline | null {
    if (this.lane.share.kind !== 'stranger') return null;
    const isExempt = (): boolean => this.lane.share.kind !== 'stranger' || this.#inFlight.count > 0;
    return new IdleDeadline(this.#limits.idleWithoutScopeMs, isExempt, () => {
      this.finish(this.#framing.idle(this.#limits));
    });
  }

  #askForTurn(): void {
    const { scheduler } = this.#shared;
    scheduler.ready(this);
    if (scheduler.isWaiting(this)) this.#keepWaiting();
  }

  /** With nothing left here, what the client sends next says whether it must be kept waiting. */
  #keepWaiting(): void {
    if (this.#decoder.waiting || this.#inputEnded) this.#pauseReading();
  }

  #begin(frame: Buffer): void {
    this.#partial.end();
    this.#idle?.restart();
    const request = this.#inFlight.begin(frame, this.lane);
    this.#handler.answer(frame).then(
      (answer) => {
        this.#answered(request, answer);
      },
      (error: unknown) => {
        // A bug of `answer`: the client cannot be told which request it was.
        this.#log.error({ err: error }, 'a request was left without an answer');
        this.#socket.destroy();
        if (this.#inFlight.end(request)) this.#settle(request.lane);
      },
    );
    // What an `authenticate` says is decided by now.
    if (this.#handler.share !== this.lane.share) this.#move();
  }

  #move(): void {
    const { lanes } = this.#shared;
    const before = this.lane;
    this.lane = lanes.enter(this.#handler.share);
    this.#output.move(this.lane);
    lanes.leave(before);
  }

  #answered(request: Request, answer: Answer): void {
    if (!this.#inFlight.end(request)) return;
    if (!this.#closed) this.#output.push(answer);
    this.#settle(request.lane);
  }

  /** A request that counted there is done. */
  #settle(lane: Lane): void {
    this.#shared.scheduler.eased(lane);
    if (this.#closed) {
      if (this.#inFlight.count === 0) this.#options.onDone();
      return;
    }
    // Nothing else is due: what could be written together is here. Else wait for the end of the turn.
    if (this.#inFlight.count === 0) this.#flush();
    if (this.#finishing) this.#endWhenAnswered();
    if (this.#output.count > 0 || !this.#reading) this.#planTurn();
  }

  /** After the callbacks of this turn of the event loop, before it waits for anything. */
  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => {
      this.#turnPlanned = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#closed) return;
    this.#flush();
    if (!this.#reading && !this.#finishing && !this.#congested) this.#askForTurn();
  }

  #flush(): void {
    if (!this.#output.flush() && !this.#finishing) this.#pauseReading();
  }

  /** Every whole frame has been handed on. */
  #wantMore(): void {
    if (this.#decoder.tooLarge) {
      this.finish(this.#framing.tooLarge(this.#maxFrameBytes));
      return;
    }
    if (this.#inputEnded) {
      this.finish(this.#decoder.partial ? this.#framing.cutOff() : undefined);
      return;
    }
    const goOn = (): void => {
      this.#askForTurn();
    };
    if (!this.#partial.mayGoOn(this.lane, goOn)) {
      this.#pauseReading();
      return;
    }
    if (this.#lastInput?.goesOn() === false || this.#reading) return;
    this.#reading = true;
    this.#socket.resume();
  }

  #pauseReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#socket.pause();
  }

  #endWhenAnswered(): void {
    if (this.#inFlight.count > 0 || this.#output.hasEnded || this.#closed) return;
    const rest = this.#output.end(this.#lastWords);
    // A client that has shut its side down (nc -N) may take its time to read its answers, as long as it takes some.
    if (this.#inputEnded) {
      this.#socket.end(rest);
      this.#output.awaitEnd();
    } else {
      endAndLinger(this.#socket, rest);
    }
  }

  #close(): void {
    const { scheduler } = this.#shared;
    this.#closed = true;
    this.#finishing = true;
    scheduler.forget(this);
    this.#output.discard();
    this.#partial.stop();
    this.#idle?.end();
    this.#lastInput?.stop();
    scheduler.eased(this.lane);
    if (this.#inFlight.count === 0) this.#options.onDone();
  }
}
