import type { Socket } from 'node:net';
import type { Framing } from './framing.ts';
import type { Lane } from './lane.ts';
import type { SocketLimits } from './limits.ts';
import { UnsentDeadline } from './unsent-deadline.ts';

export interface OutputOptions<Answer> {
  readonly socket: Socket;
  readonly framing: Framing<Answer>;
  readonly limits: SocketLimits;
  readonly lane: Lane;
  /** The client takes nothing: it is not waited for any longer. */
  readonly onStalled: () => void;
}

/** The answers of one connection on their way to the client, and what of them it has not taken. */
export class Output<Answer extends string | Buffer> {
  readonly #socket: Socket;
  readonly #framing: Framing<Answer>;
  readonly #limits: SocketLimits;
  readonly #deadline: UnsentDeadline;
  #lane: Lane;
  /** Not written yet. */
  #answers: Answer[] = [];
  /** Of them, and of what is written and not taken. Characters count for bytes: nearly all are ASCII. */
  #unsent = 0;
  #awaitsDrain = false;
  #ended = false;

  constructor({ socket, framing, limits, lane, onStalled }: OutputOptions<Answer>) {
    this.#socket = socket;
    this.#framing = framing;
    this.#limits = limits;
    this.#lane = lane;
    this.#deadline = new UnsentDeadline(socket, limits.unsentDeadlineMs, onStalled);
  }

  /** Answers that are not written yet. */
  get count(): number {
    return this.#answers.length;
  }

  /** The client does not take what it has asked for. */
  get isHeldUp(): boolean {
    return this.#awaitsDrain || this.#unsent >= this.#limits.maxUnsentBytesPerConnection;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  push(answer: Answer): void {
    this.#answers.push(answer);
    this.#count(answer.length + 1);
  }

  /** From now on it counts there. */
  move(lane: Lane): void {
    this.#lane.unsent(-this.#unsent);
    lane.unsent(this.#unsent);
    this.#lane = lane;
  }

  /** Writes what there is. False: the client does not take it all, until 'drain'. */
  flush(): boolean {
    if (this.#answers.length === 0 || this.#awaitsDrain || this.#ended) return true;
    const written = this.#framing.written(this.#answers);
    this.#answers = [];
    // False speaks of the size of this write; what counts is whether the kernel took it all.
    if (this.#socket.write(written) || this.#socket.writableLength === 0) {
      this.#count(-this.#unsent);
      return true;
    }
    this.#awaitsDrain = true;
    this.#deadline.begin();
    return false;
  }

  /** The client has taken what was written. */
  drained(): void {
    this.#awaitsDrain = false;
    this.#deadline.end();
    this.#count(-this.#unsent);
    for (const { length } of this.#answers) this.#count(length + 1);
  }

  /** What is written last of all, with what was not written yet. Nothing is written behind it. */
  end(lastWords: readonly Answer[]): string | Buffer {
    this.#ended = true;
    const answers = [...this.#answers, ...lastWords];
    this.#answers = [];
    return answers.length === 0 ? '' : this.#framing.written(answers);
  }

  /** The end was written: the client is waited for as before. */
  awaitEnd(): void {
    this.#deadline.begin();
  }

  /** The connection is closed: nothing is kept. */
  discard(): void {
    this.#deadline.end();
    this.#answers = [];
    this.#count(-this.#unsent);
  }

  #count(bytes: number): void {
    this.#unsent += bytes;
    this.#lane.unsent(bytes);
  }
}
