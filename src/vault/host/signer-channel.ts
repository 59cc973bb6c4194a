import type { Socket } from 'node:net';
import { describeFailure } from '../../base/errors.ts';
import type { SignerFailure } from '../hosted.ts';
import type { HostEnd } from './host-end.ts';
import { answerBytes, readAnswer, signerRequest } from './signer-frames.ts';
import { mostHeld } from './signer-loop.ts';
import { WorkQueue } from './work-queue.ts';

/** What comes of a request. */
export interface SignerJob {
  /** Milliseconds that the module may take. */
  readonly timeLimit: number;
  /** With a view of what was received; it has been verified. */
  readonly signed: (signature: Uint8Array) => void;
  /** It did not verify. */
  readonly wrong: () => void;
  readonly failed: (failure: SignerFailure) => void;
  /** Nothing was tried. */
  readonly skipped: () => void;
  /** The process has ended. */
  readonly lost: (end: HostEnd) => void;
}

export interface SignerChannelOptions {
  readonly socket: Socket;
  /** Something is asked that was not asked before, and is due then. */
  readonly due: (time: number) => void;
  readonly onNonsense: (reason: string) => void;
  readonly onClose: () => void;
}

/** Requests that may lie in a channel: as many as the thread makes in so many milliseconds, from two to so many. */
const aheadTime = 4;
const fewestAhead = 2;
const mostAhead = 32;
/** Of the newest time in the mean. */
const weight = 0.2;

/** The agent's side of the channel to one thread that signs. */
export class SignerChannel {
  readonly #options: SignerChannelOptions;
  readonly #jobs = new WorkQueue<SignerJob>();
  #rest: Buffer | null = null;
  #out: Buffer[] = [];
  #round = 0;
  #isReady = false;
  #announceReady: () => void = () => undefined;
  /** Resolves when the thread takes requests; never, where it does not start. */
  readonly ready = new Promise<void>((resolve) => {
    this.#announceReady = resolve;
  });
  /** When the job that is first now became so. */
  #firstSince = 0;
  /** Milliseconds a signature. */
  #pace = aheadTime;

  constructor(options: SignerChannelOptions) {
    this.#options = options;
    options.socket.on('data', (piece: Buffer) => {
      this.#receive(piece);
    });
    options.socket.on('error', () => undefined); // its close says the same
    options.socket.on('close', options.onClose);
  }

  /** The thread takes requests. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Nothing more comes of it. */
  get isClosed(): boolean {
    return this.#options.socket.closed;
  }

  /** What it is asked and has not answered. */
  get length(): number {
    return this.#jobs.length;
  }

  /** How many one vault may have in it. */
  get window(): number {
    return Math.min(mostAhead, Math.max(fewestAhead, Math.round(aheadTime / this.#pace)));
  }

  /** When the first job must have been answered; Infinity where there is none. */
  get dueAt(): number {
    const { first } = this.#jobs;
    return first === undefined ? Infinity : this.#firstSince + first.timeLimit;
  }

  send(request: Omit<Parameters<typeof signerRequest>[0], 'round'>, job: SignerJob): void {
    if (this.#jobs.length === 0) {
      this.#firstSince = performance.now();
      this.#options.due(this.#firstSince + job.timeLimit);
    }
    this.#jobs.push(job);
    this.#out.push(signerRequest({ ...request, round: this.#round }));
    if (this.#out.length > 1) return;
    process.nextTick(() => {
      const out = this.#out;
      this.#out = [];
      if (!this.#options.socket.destroyed) {
        this.#options.socket.write(out.length === 1 && out[0] ? out[0] : Buffer.concat(out));
      }
    });
  }

  /** The thread ends once it has answered everything. */
  end(): void {
    this.#options.socket.end();
  }

  /** The process is gone. What the module cannot have been given yet is not to blame. */
  lose(end: HostEnd): void {
    this.#options.socket.destroy();
    for (const [position, { lost }] of this.#jobs.drain().entries()) {
      lost(position < mostHeld ? end : { ...end, isExpected: true });
    }
  }

  #receive(piece: Buffer): void {
    const bytes = this.#rest === null ? piece : Buffer.concat([this.#rest, piece]);
    const whole = Math.floor(bytes.length / answerBytes);
    const asked = this.#jobs.length;
    try {
      for (let n = 0; n < whole; n += 1) this.#take(bytes, n * answerBytes);
    } catch (failure) {
      // Where the next answer begins nobody knows any more.
      this.#options.socket.destroy();
      this.#options.onNonsense(describeFailure(failure));
      return;
    }
    const end = whole * answerBytes;
    this.#rest = end === bytes.length ? null : bytes.subarray(end);
    if (asked > 0 && whole > 0) this.#measure(whole);
  }

  #measure(answers: number): void {
    const now = performance.now();
    const each = (now - this.#firstSince) / answers;
    this.#pace += weight * (each - this.#pace);
    this.#firstSince = now;
  }

  #take(bytes: Buffer, at: number): void {
    const answer = readAnswer(bytes, at);
    if (answer.is === 'ready') {
      this.#isReady = true;
      this.#announceReady();
      return;
    }
    const job = this.#jobs.shift();
    if (job === undefined) throw new Error('an answer to nothing');
    if (answer.is === 'signed') {
      job.signed(answer.signature);
    } else if (answer.is === 'wrong') {
      job.wrong();
    } else if (answer.is === 'failed') {
      this.#round = (this.#round + 1) % 256;
      job.failed(answer.failure);
    } else {
      job.skipped();
    }
  }
}
