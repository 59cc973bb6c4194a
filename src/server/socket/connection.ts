import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { errnoName } from '../../base/errors.ts';
import { endAndLinger } from './closing.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { FrameDeadline } from './frame-deadline.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { Decoder, Framing } from './framing.ts';
import { LastInput } from './last-input.ts';
import type { SocketLimits } from './limits.ts';
import { Work, type Request } from './work.ts';

/** Frames handed on in one go: a client with a full pipe must not keep the others waiting. */
const framesPerTurn = 64;

/**
 * One client: frames in, answers out, in any order but where one request alone may be in flight. Reading stops while
 * the client does not take its answers, or sends more with enough in flight; nothing else is queued here.
 */
export class Connection<Answer> {
  readonly #socket: Socket;
  readonly #limits: SocketLimits;
  readonly #handler: FrameHandler<Answer>;
  readonly #framing: Framing<Answer>;
  readonly #log: Logger;
  readonly #unreadBytes: () => number;
  readonly #onDone: () => void;
  readonly #decoder: Decoder;
  readonly #deadline: FrameDeadline;

  readonly #inFlight: Work;
  /** Answers of this turn. */
  #out: Answer[] = [];
  #turnPlanned = false;
  #reading = true;
  #awaitingDrain = false;
  #inputEnded = false;
  /** The agent stops. */
  #lastInput: LastInput | null = null;
  /** No more frames are handed on. */
  #finishing = false;
  /** What is said behind the answers that are still due. */
  #lastWords: Answer[] = [];
  #ended = false;
  #closed = false;

  /** `onDone` is called once: when the socket is closed and every request of it has been answered. */
  constructor(
    socket: Socket,
    { limits, handler, framing, log, unreadBytes, onDone }: ConnectionOptions<Answer>,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#inFlight = new Work(limits);
    this.#handler = handler;
    this.#framing = framing;
    this.#log = log;
    this.#unreadBytes = unreadBytes;
    this.#onDone = onDone;
    this.#decoder = framing.decoder(this.#maxFrameBytes);
    this.#deadline = new FrameDeadline(
      limits.frameDeadlineMs,
      () => this.#reading,
      () => {
        this.finish(framing.tooSlow(limits));
      },
    );
    socket.on('data', (chunk) => {
      if (this.#finishing) return;
      this.#decoder.push(chunk);
      this.#pump();
    });
    socket.on('end', () => {
      this.#inputEnded = true;
      this.#pump();
    });
    socket.on('drain', () => {
      this.#awaitingDrain = false;
      this.#turn();
    });
    // 'close' follows.
    socket.on('error', (error) => {
      log.debug({ errno: errnoName(error) }, 'connection failed');
    });
    socket.on('close', () => {
      this.#close();
    });
  }

  /** Hands no more frames on, sends the answers that are due and then `lastWords`, closes. */
  finish(lastWords?: Answer): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#deadline.end();
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
      unreadBytes: this.#unreadBytes,
      isBusy: () =>
        this.#congested ||
        this.#inFlight.count + this.#out.length + this.#socket.readableLength > 0 ||
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
    return this.#awaitingDrain || this.#inFlight.isFull;
  }

  #pump(): void {
    for (let count = 0; count < framesPerTurn && !this.#congested; count++) {
      if (this.#finishing) return;
      this.#decoder.maxFrameBytes = this.#maxFrameBytes;
      const frame = this.#decoder.next();
      if (frame === null) {
        this.#wantMore();
        return;
      }
      this.#handOn(frame);
    }
    // With nothing left here, what the client sends next says whether it must be kept waiting.
    if (!this.#decoder.waiting && !this.#inputEnded) return;
    this.#pauseReading();
    if (!this.#congested) this.#planTurn();
  }

  #handOn(frame: Buffer): void {
    this.#deadline.end();
    const request = this.#inFlight.begin(frame);
    this.#handler.answer(frame).then(
      (answer) => {
        this.#answered(request, answer);
      },
      (error: unknown) => {
        // A bug of `answer`: the client cannot be told which request it was.
        this.#log.error({ err: error }, 'a request was left without an answer');
        this.#socket.destroy();
        if (this.#inFlight.end(request)) this.#settle();
      },
    );
  }

  #answered(request: Request, answer: Answer): void {
    if (!this.#inFlight.end(request)) return;
    if (!this.#closed) this.#out.push(answer);
    this.#settle();
  }

  #settle(): void {
    if (this.#closed) {
      if (this.#inFlight.count === 0) this.#onDone();
      return;
    }
    // Nothing else is due: what could be written together is here. Else wait for the end of the turn.
    if (this.#inFlight.count === 0) this.#flush();
    if (this.#finishing) this.#endWhenAnswered();
    if (this.#out.length > 0 || !this.#reading) this.#planTurn();
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
    if (!this.#reading && !this.#finishing) this.#pump();
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#awaitingDrain || this.#ended) return;
    const written = this.#framing.written(this.#out);
    this.#out = [];
    // False speaks of the size of this write; what counts is whether the kernel took it all.
    if (this.#socket.write(written) || this.#socket.writableLength === 0) return;
    this.#awaitingDrain = true;
    if (!this.#finishing) this.#pauseReading();
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
    if (this.#decoder.partial) this.#deadline.begin();
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
    if (this.#inFlight.count > 0 || this.#ended || this.#closed) return;
    this.#ended = true;
    const answers = [...this.#out, ...this.#lastWords];
    const rest = answers.length === 0 ? '' : this.#framing.written(answers);
    this.#out = [];
    // A client that has shut its side down (nc -N) may take all the time it wants to read its answers.
    if (this.#inputEnded) this.#socket.end(rest);
    else endAndLinger(this.#socket, rest);
  }

  #close(): void {
    this.#closed = true;
    this.#finishing = true;
    this.#out = [];
    this.#deadline.stop();
    this.#lastInput?.stop();
    if (this.#inFlight.count === 0) this.#onDone();
  }
}
