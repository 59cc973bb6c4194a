import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Logger } from 'pino';
import { AgentError, describeFailure } from '../../base/errors.ts';
import { keepFilesFromChildren } from '../../native/inherited-files.ts';
import { frameKinds, FrameReader, type Frame } from './frames.ts';
import { HostLost, type HostEnd } from './host-end.ts';
import {
  callFrame,
  HostFailure,
  signAfterFrame,
  signFrame,
  type HostCall,
  type Failure,
  type MetFailure,
  type Note,
  type WireSignature,
} from './messages.ts';
import { SignerChannel } from './signer-channel.ts';

export interface HostProcessOptions {
  /** The script of the child process. */
  readonly program: string;
  /** Threads that it may start to sign; each has a channel. */
  readonly signers: number;
  /** All that it has of an environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly onNote: (note: VaultNote) => void;
  /** Called once, when the process is gone and everything that waited for it was told. */
  readonly onEnd: (end: HostEnd) => void;
}

/** A note about one vault. */
export type VaultNote = Extract<Note, { vault: number }>;

interface Pending {
  readonly dueAt: number;
  /** Anything but a signature: it is not cut off by `retire`. */
  readonly isCall: boolean;
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (failure: unknown) => void;
}

/** Of `stdio`, after the channel to the main thread. */
const firstSigner = 4;
/** Between the end of the channel, or a kill, and the end of the process, milliseconds. */
const endTime = 1000;
const lastAnswersTime = 200;
/** Between the start of the process and its first word, milliseconds. */
const startTime = 15_000;
/** What the module prints is kept for the log, the last characters of it. */
const lastWordsLength = 2000;

/**
 * One run of a vault host: its process, and what is asked of it. A call that is not answered in its time takes
 * the process with it, since a module that hangs cannot be told to stop.
 */
export class HostProcess {
  readonly #options: HostProcessOptions;
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  /** To the threads that sign, in the order of their numbers. */
  readonly signers: readonly SignerChannel[];
  readonly #pending = new Map<number, Pending>();
  readonly #reader = new FrameReader();
  #lastId = 0;
  #out: Buffer[] = [];
  #watch: NodeJS.Timeout | null = null;
  #watchEndsAt = Infinity;
  #calls = 0;
  /** Why it was ended from here. */
  #verdict: HostEnd | null = null;
  #lastWords = '';
  #exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null = null;
  #ended = false;
  #announceStart: () => void = () => undefined;
  readonly #startEvent = new Promise<void>((resolve) => {
    this.#announceStart = resolve;
  });
  #announceEnd: () => void = () => undefined;
  readonly #goneEvent = new Promise<void>((resolve) => {
    this.#announceEnd = resolve;
  });

  constructor(options: HostProcessOptions) {
    this.#options = options;
    keepFilesFromChildren();
    // Detached: a signal that a terminal sends to the agent's process group is not for the module.
    const { program, signers } = options;
    this.#child = spawn(process.execPath, [program, String(process.pid), String(signers)], {
      env: options.environment,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...Array<'pipe'>(signers).fill('pipe')],
      detached: true,
      cwd: '/',
    });
    this.#child.on('error', (failure) => {
      this.#verdict ??= { isExpected: false, reason: describeFailure(failure) };
      if (this.#child.pid === undefined) this.#finish();
    });
    // Without a descriptor left (EMFILE) there is a child that has no channels: its 'error' comes next.
    const stdio = this.#child.stdio as ChildProcess['stdio'] | undefined;
    this.#channel = (stdio?.[3] ?? new Socket()) as Socket;
    this.#channel.on('data', (piece: Buffer) => {
      this.#receive(piece);
    });
    this.#channel.on('error', () => undefined); // its close says the same
    this.#channel.on('close', () => {
      if (this.#exit === null) this.#endSoon();
      else this.#finishOnceRead();
    });
    const ofSigners = (stdio?.slice(firstSigner) ?? []) as unknown as readonly Socket[];
    this.signers = ofSigners.map(
      (socket) =>
        new SignerChannel({
          socket,
          due: (time) => {
            this.#dueAt(time);
          },
          onNonsense: (reason) => {
            this.kill({ isExpected: false, reason: `a thread of it sent nonsense: ${reason}` });
          },
          onClose: () => {
            if (this.#exit !== null) this.#finishOnceRead();
          },
        }),
    );
    (stdio?.[2] as Socket | undefined)?.on('data', (text: Buffer) => {
      this.#lastWords = (this.#lastWords + text.toString()).slice(-lastWordsLength);
      options.log.debug({ said: text.toString().slice(0, lastWordsLength) }, 'the module printed');
    });
    this.#child.on('exit', (code, signal) => {
      this.#exit = { code, signal };
      this.#finishOnceRead();
      // A process that it started may hold a channel open.
      setTimeout(() => {
        this.#finish();
      }, lastAnswersTime).unref();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Resolves when the process takes calls, whose time limits are the module's and not those of a process that
   * starts on a busy machine, or when it is gone.
   */
  async started(): Promise<void> {
    const timer = setTimeout(() => {
      this.kill({ isExpected: false, reason: 'it did not start in time' });
    }, startTime);
    await Promise.race([this.#startEvent, this.#goneEvent]);
    clearTimeout(timer);
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<void> {
    return this.#goneEvent;
  }

  /** False once it has ended, or is about to. */
  get usable(): boolean {
    return this.#verdict === null && this.#exit === null && !this.#ended;
  }

  /**
   * Has the main thread sign. Resolves with what readSigned reads. `timeLimit` in milliseconds. Rejects with HostFailure
   * or HostLost.
   */
  sign(
    signature: WireSignature,
    timeLimit: number,
    answer: Pick<Pending, 'resolve' | 'reject'>,
  ): void {
    this.#request(timeLimit, false, answer, (id) => signFrame(id, signature));
  }

  /** As `sign`, after a thread has met a failure with it. */
  signAfter(
    signature: WireSignature,
    met: MetFailure,
    timeLimit: number,
    answer: Pick<Pending, 'resolve' | 'reject'>,
  ): void {
    this.#request(timeLimit, false, answer, (id) => signAfterFrame(id, signature, met));
  }

  /** Resolves with the result. `secret` is wiped. Rejects with HostFailure or HostLost. */
  call<Result>(call: HostCall, timeLimit: number, secret: Buffer | null = null): Promise<Result> {
    return new Promise((resolve, reject) => {
      const answer = {
        resolve: (payload: Buffer) => {
          resolve(JSON.parse(payload.toString('utf8')) as Result);
        },
        reject,
      };
      this.#request(timeLimit, true, answer, (id) => callFrame(id, call, secret), secret);
    });
  }

  /** Ends the process now; what waits for it is told why. */
  kill(end: HostEnd): void {
    if (this.#ended) return;
    this.#verdict ??= end;
    this.#child.kill('SIGKILL');
  }

  /** As `kill`, once the calls under way have come back: a key that is being made is let finish. */
  retire(end: HostEnd): void {
    this.#verdict ??= end;
    if (this.#calls === 0) this.kill(end);
  }

  /** Lets it close its sessions and go, for at most `timeLimit` milliseconds. */
  async stop(timeLimit: number): Promise<void> {
    if (this.#ended || this.#exit !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    for (const signer of this.signers) signer.end();
    await this.call({ op: 'stop' }, timeLimit).catch(() => null);
    this.#endSoon();
    await exited;
  }

  #request(
    timeLimit: number,
    isCall: boolean,
    { resolve, reject }: Pick<Pending, 'resolve' | 'reject'>,
    frameOf: (id: number) => Buffer,
    secret: Buffer | null = null,
  ): void {
    if (!this.usable) {
      reject(new HostLost(this.#verdict ?? { isExpected: true, reason: 'it has ended' }));
      return;
    }
    this.#lastId = this.#lastId >= 0xffffffff ? 1 : this.#lastId + 1;
    const id = this.#lastId;
    if (isCall) this.#calls += 1;
    this.#pending.set(id, { dueAt: this.#due(timeLimit), isCall, resolve, reject });
    const frame = frameOf(id);
    if (secret !== null) {
      secret.fill(0);
      this.#channel.write(frame, () => frame.fill(0));
      return;
    }
    this.#out.push(frame);
    if (this.#out.length === 1) {
      // What is asked in one turn is written together; nothing is waited for.
      process.nextTick(() => {
        const out = this.#out;
        this.#out = [];
        if (!this.#ended) {
          this.#channel.write(out.length === 1 && out[0] ? out[0] : Buffer.concat(out));
        }
      });
    }
  }

  #receive(piece: Buffer): void {
    try {
      this.#reader.read(piece, (frame) => {
        this.#take(frame);
      });
    } catch (failure) {
      this.kill({ isExpected: false, reason: `it sent nonsense: ${describeFailure(failure)}` });
    }
  }

  #take({ id, kind, payload }: Frame): void {
    if (kind === frameKinds.note) {
      this.#takeNote(JSON.parse(payload.toString('utf8')) as Note);
      return;
    }
    const pending = this.#pending.get(id);
    if (pending === undefined) return; // of a call that was given up with the process
    this.#pending.delete(id);
    if (pending.isCall) this.#calls -= 1;
    if (kind === frameKinds.done) pending.resolve(payload);
    else pending.reject(new HostFailure(JSON.parse(payload.toString('utf8')) as Failure));
    if (this.#verdict !== null && this.#calls === 0) this.kill(this.#verdict);
  }

  #takeNote(note: Note): void {
    if (note.note === 'log') this.#options.log[note.level](note.fields, note.message);
    else if (note.note === 'started') this.#announceStart();
    else if (note.note === 'worn') this.retire({ isExpected: true, reason: note.reason });
    else this.#options.onNote(note);
  }

  /** One timer looks after many calls: arming one a call would cost more than the call. */
  #due(timeLimit: number): number {
    const dueAt = performance.now() + timeLimit;
    this.#dueAt(dueAt);
    return dueAt;
  }

  #dueAt(time: number): void {
    if (this.#watch === null || time < this.#watchEndsAt) this.#watchUntil(time);
  }

  #watchUntil(time: number): void {
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watchEndsAt = time;
    const wait = Math.max(1, time - performance.now());
    this.#watch = setTimeout(() => {
      this.#watch = null;
      let next = Infinity;
      for (const { dueAt } of this.#pending.values()) next = Math.min(next, dueAt);
      for (const { dueAt } of this.signers) next = Math.min(next, dueAt);
      if (next <= performance.now()) {
        this.kill({ isExpected: false, reason: 'a call into the module did not return in time' });
      } else if (next !== Infinity) {
        this.#watchUntil(next);
      }
    }, wait);
  }

  #endSoon(): void {
    if (this.#ended) return;
    const timer = setTimeout(() => {
      this.kill({ isExpected: false, reason: 'it closed its channel and stayed' });
    }, endTime);
    timer.unref();
  }

  /** What it answered last may still be on its way. */
  #finishOnceRead(): void {
    if (this.#channel.closed && this.signers.every(({ isClosed }) => isClosed)) this.#finish();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    if (this.#watch !== null) clearTimeout(this.#watch);
    const end = this.#verdict ?? {
      isExpected: signal === 'SIGKILL' || signal === 'SIGTERM',
      reason: signal === null ? `it exited with ${String(code)}` : `it was ended by ${signal}`,
    };
    if (this.#verdict === null && code !== 0) {
      this.#options.log.error({ code, signal, said: this.#lastWords }, 'a vault host ended');
    }
    this.#channel.destroy();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new HostLost(end));
    for (const signer of this.signers) signer.lose(end);
    this.#options.onEnd(end);
    this.#announceEnd();
  }
}

/** A failure of the host as callers see it. */
export function asAgentError(failure: unknown, doing: string): AgentError {
  if (failure instanceof AgentError) return failure;
  const reason = describeFailure(failure);
  if (!(failure instanceof HostLost)) {
    return new AgentError('internal', reason, { cause: failure });
  }
  return new AgentError('backend_unavailable', `the vault host ended while it ${doing}: ${reason}`);
}
