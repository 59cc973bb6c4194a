import type { AgentError } from '../../base/errors.ts';
import type { VaultKey } from '../vault.ts';
import { HostLost } from './host-end.ts';
import { asAgentError } from './host-process.ts';
import { HostFailure } from './messages.ts';
import { WorkQueue } from './work-queue.ts';

/** A signature that is asked for. */
export interface SignatureJob {
  readonly key: VaultKey;
  readonly message: Uint8Array;
}

/** A signature that was made. */
export interface MadeSignature {
  /** null: it was looked at where it was made, and does not verify. */
  readonly signature: Uint8Array | null;
  /** It was verified where it was made. */
  readonly isVerified: boolean;
}

interface Job extends SignatureJob {
  readonly resolve: (made: MadeSignature) => void;
  readonly reject: (failure: AgentError) => void;
  /** Attempts that ended the process, or failed so that it had to be ended or to log in again. */
  failed: number;
}

/** What comes of a job that was sent; called later, never by `send`. */
export interface Answer {
  readonly resolve: (made: MadeSignature) => void;
  readonly reject: (failure: unknown) => void;
}

export interface SignatureJobsOptions {
  /** False where there is no room for it now: it waits for one that is under way. `alone`: nothing else is. */
  readonly send: (job: SignatureJob, answer: Answer, alone: boolean) => boolean;
  /** A failure that only another process gets out of; the job waits for that process. */
  readonly onFatal: (failure: HostFailure) => void;
  /** The token has forgotten the login; the job waits for another one. */
  readonly onLoginLost: (failure: HostFailure) => void;
  readonly onSuccess: () => void;
}

/** Attempts a signature gets where it was under way when the process ended: the first, and one more. */
const mostAttempts = 2;

/**
 * The signatures that are asked of one token. Those that were under way when the process ended are made again, one
 * at a time before all others: a message that takes the module down does so alone then, and fails alone.
 */
export class SignatureJobs {
  readonly #options: SignatureJobsOptions;
  readonly #waiting = new WorkQueue<Job>();
  readonly #suspects = new WorkQueue<Job>();
  #underWay = 0;
  #suspectUnderWay = false;
  /** Whether jobs may be sent; null while there is no process. */
  #usable: (() => boolean) | null = null;
  #finished: (() => void) | null = null;

  constructor(options: SignatureJobsOptions) {
    this.#options = options;
  }

  add(key: VaultKey, message: Uint8Array): Promise<MadeSignature> {
    return new Promise((resolve, reject) => {
      const job = { key, message, resolve, reject, failed: 0 };
      if (!this.#mayPass() || !this.#send(job, false)) this.#waiting.push(job);
    });
  }

  /** There is a process: `usable` says for how long. */
  resume(usable: () => boolean): void {
    this.#usable = usable;
    this.#pump();
  }

  /** There is none. */
  pause(): void {
    this.#usable = null;
  }

  /** Whoever waits is told that there is none to come. */
  refuse(failure: AgentError): void {
    this.#usable = null;
    for (const { reject } of [...this.#suspects.drain(), ...this.#waiting.drain()]) {
      reject(failure);
    }
    this.#noteFinished();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async finish(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#finished = resolve;
      this.#noteFinished();
    });
  }

  #mayPass(): boolean {
    return (
      !this.#suspectUnderWay &&
      this.#suspects.length === 0 &&
      this.#waiting.length === 0 &&
      this.#usable?.() === true
    );
  }

  #pump(): void {
    while (this.#usable?.() === true && !this.#suspectUnderWay) {
      if (this.#suspects.length > 0) {
        if (this.#underWay > 0) return;
        const suspect = this.#suspects.shift();
        if (suspect === undefined) return;
        this.#suspectUnderWay = true;
        this.#send(suspect, true);
        return;
      }
      const job = this.#waiting.first;
      if (job === undefined || !this.#send(job, false)) return;
      this.#waiting.shift();
    }
  }

  #send(job: Job, alone: boolean): boolean {
    this.#underWay += 1;
    const answer = {
      resolve: (made: MadeSignature) => {
        this.#options.onSuccess();
        job.resolve(made);
        this.#settled();
      },
      reject: (failure: unknown) => {
        this.#failed(job, failure);
        this.#settled();
      },
    };
    const isSent = this.#options.send(job, answer, alone);
    if (!isSent) this.#underWay -= 1;
    return isSent;
  }

  #settled(): void {
    this.#underWay -= 1;
    this.#suspectUnderWay = false;
    this.#pump();
    this.#noteFinished();
  }

  #failed(job: Job, failure: unknown): void {
    const fatal = failure instanceof HostFailure && failure.fatal;
    const loginLost = failure instanceof HostFailure && failure.loginLost;
    const lost = failure instanceof HostLost;
    if (fatal || loginLost || (lost && !failure.end.isExpected)) job.failed += 1;
    if ((fatal || loginLost || lost) && job.failed < mostAttempts) this.#suspects.push(job);
    else job.reject(asAgentError(failure, 'signed'));
    if (fatal) this.#options.onFatal(failure);
    if (loginLost) this.#options.onLoginLost(failure);
  }

  #noteFinished(): void {
    if (this.#underWay + this.#waiting.length + this.#suspects.length > 0) return;
    this.#finished?.();
  }
}
