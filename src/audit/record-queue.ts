import { AgentError, describeFailure, errnoName } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { World } from '../base/world.ts';
import type { AuditStatus } from '../api/status.ts';
import type { ChainWriter } from './chain-writer.ts';
import { logEntry, type Entry } from './entry.ts';

/** Between attempts to write again after a failure, milliseconds. */
const retryAfter = 1000;

/** A write of fewer records waits a moment for others, where the one before it says that several callers sign at once. */
const enough = 10;
/** Milliseconds. */
const moment = 1;

export interface RecordQueueParts {
  /** Directory of the log, for messages. */
  readonly dir: string;
  readonly writer: Pick<ChainWriter, 'write' | 'path'>;
  readonly world: Pick<World, 'now' | 'monotonicNow' | 'schedule' | 'pause' | 'log'>;
  /** Called each time that records have come to the disk. */
  readonly written: () => void;
}

/** Nothing can be written. */
interface Outage {
  readonly message: string;
  /** On the monotonic clock. */
  retryAt: number;
  /** Cancels the timer of the next attempt. */
  cancel: () => void;
}

/**
 * Records on their way to the disk: what comes while a write is under way goes out together with the next one. Where
 * one fails, nothing is taken until a record `resumed` is on disk, which is tried once a second.
 */
export class RecordQueue {
  readonly #parts: RecordQueueParts;
  #waiting: Entry[] = [];
  /** Kept while nothing can be written: they go before everything else. */
  #mandatory: Entry[] = [];
  /** To be written while nothing else can be, into the space that is held in reserve. */
  #urgent: Entry[] = [];
  /** Something urgent has come that no attempt was made for yet. */
  #isHurried = false;
  /** How many records the last write had. */
  #before = 0;
  #working: Promise<void> | null = null;
  #outage: Outage | null = null;
  #lastError: AuditStatus['last_error'] = null;
  /** Operations that were turned away since nothing could be written. */
  #turnedAway = 0;

  constructor(parts: RecordQueueParts) {
    this.#parts = parts;
  }

  get lastError(): AuditStatus['last_error'] {
    return this.#lastError;
  }

  /** Why a record cannot be taken; null where it can. Each call counts as an operation that is turned away. */
  refusal(): AgentError | null {
    if (this.#outage === null) return null;
    this.#turnedAway += 1;
    this.#retryIfDue();
    return unavailable(this.#outage.message);
  }

  get isAvailable(): boolean {
    return this.#outage === null;
  }

  /** The entry is resolved when it is on disk, or where it is mandatory and that cannot be; else it is rejected. */
  push(entry: Entry): void {
    if (this.#outage === null) {
      this.#waiting.push(entry);
      this.#working ??= this.#work();
    } else if (entry.isUrgent || entry.isMandatory) {
      this.#keep(entry);
      if (entry.isUrgent) this.#hurry();
      else this.#retryIfDue();
    } else {
      this.#turnAway(entry, unavailable(this.#outage.message));
    }
  }

  /** Settles when nothing is being written any more. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  /** Tries once more where nothing could be written; answers what must be written still, and forgets it. */
  async finish(): Promise<readonly Entry[]> {
    await this.idle();
    if (this.#outage !== null) this.#startRetry(this.#outage);
    await this.idle();
    return this.#mandatory.splice(0);
  }

  async #work(): Promise<void> {
    // What comes in the same turn goes out together.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      // Where many sign at once more come in a moment, and a write for each few of them would cost as much as they do.
      if (this.#before > 1 && this.#waiting.length < enough) await this.#parts.world.pause(moment);
      const batch = this.#waiting;
      this.#before = batch.length;
      this.#waiting = [];
      try {
        const numbers = await this.#parts.writer.write(batch);
        if (numbers.length < batch.length) {
          this.#waiting = [...batch.slice(numbers.length), ...this.#waiting];
        }
        numbers.forEach((seq, at) => batch[at]?.resolve?.(seq));
      } catch (failure) {
        this.#fail(failure, batch);
      }
      this.#parts.written();
    }
    this.#working = null;
    if (this.#isHurried) this.#hurry();
  }

  #fail(failure: unknown, batch: readonly Entry[]): void {
    const { dir, world } = this.#parts;
    const entries = [...batch, ...this.#waiting.splice(0)];
    const message = this.#note(failure);
    this.#outage = { message, retryAt: 0, cancel: () => undefined };
    for (const entry of entries) {
      this.#isHurried ||= entry.isUrgent;
      if (entry.isUrgent || entry.isMandatory) this.#keep(entry);
      else this.#turnAway(entry, unavailable(message));
    }
    world.log.error(
      { dir, reason: describeFailure(failure), turned_away: this.#turnedAway },
      'the audit log cannot be written: nothing is signed or changed until it can, and it is tried again',
    );
    this.#retryLater(this.#outage);
  }

  #retryLater(outage: Outage): void {
    const { monotonicNow, schedule } = this.#parts.world;
    outage.retryAt = monotonicNow() + retryAfter;
    // It may go off a little before `monotonicNow` says so: where nobody calls, there is no other one behind it.
    outage.cancel = schedule(retryAfter, () => {
      if (this.#working === null) this.#startRetry(outage);
    });
  }

  #retryIfDue(): void {
    const outage = this.#outage;
    if (outage === null || this.#working !== null) return;
    if (this.#parts.world.monotonicNow() >= outage.retryAt) this.#startRetry(outage);
  }

  /** What is urgent waits for no timer, but for an attempt under way. */
  #hurry(): void {
    this.#isHurried = this.#outage !== null && this.#working !== null;
    if (this.#outage !== null && this.#working === null) this.#startRetry(this.#outage);
  }

  #startRetry(outage: Outage): void {
    outage.cancel();
    this.#working = this.#retry(outage).finally(() => {
      this.#working = this.#waiting.length > 0 ? this.#work() : null;
      if (this.#isHurried) this.#hurry();
    });
  }

  /** What must be written, then `resumed`. Never rejects. */
  async #retry(outage: Outage): Promise<void> {
    const { writer, world } = this.#parts;
    const turnedAway = this.#turnedAway;
    try {
      await this.#writeKept();
    } catch (failure) {
      const message = this.#note(failure);
      for (const entry of this.#urgent.splice(0)) this.#turnAway(entry, unavailable(message));
      this.#retryLater(outage);
      return;
    }
    try {
      const resumed = { event: 'resumed', reason: null, repeated: turnedAway } as const;
      await writer.write([logEntry(world.now(), resumed)]);
    } catch (failure) {
      // What has become urgent meanwhile is tried at once, and may have room all the same.
      this.#note(failure);
      this.#retryLater(outage);
      return;
    }
    this.#turnedAway -= turnedAway;
    this.#outage = null;
    this.#waiting.push(...this.#mandatory.splice(0), ...this.#urgent.splice(0));
    world.log.info(
      { file: writer.path, turned_away: turnedAway },
      'the audit log can be written again',
    );
    this.#parts.written();
  }

  /** What was done, then what is urgent. Rejects as `ChainWriter.write` does. */
  async #writeKept(): Promise<void> {
    for (;;) {
      const mandatory = this.#mandatory.length;
      const entries = [...this.#mandatory, ...this.#urgent];
      if (entries.length === 0) return;
      const numbers = await this.#parts.writer.write(entries, true);
      // Others may have come behind them meanwhile, which are not written.
      this.#mandatory.splice(0, Math.min(mandatory, numbers.length));
      const written = this.#urgent.splice(0, Math.max(0, numbers.length - mandatory));
      written.forEach(({ resolve }, at) => resolve?.(numbers[mandatory + at] ?? 0));
    }
  }

  /** Its message goes to callers. */
  #note(failure: unknown): string {
    const why = errnoName(failure) ?? describeFailure(failure);
    const message =
      `the audit log in ${this.#parts.dir} cannot be written (${why}), so nothing was done: ` +
      `${remedies[why] ?? 'mend that'}; the agent goes on by itself`;
    this.#lastError = { message, at: formatTime(this.#parts.world.now()) };
    return message;
  }

  #keep(entry: Entry): void {
    if (!entry.isMandatory) {
      this.#urgent.push(entry);
      return;
    }
    entry.resolve?.(0);
    this.#mandatory.push({ ...entry, resolve: null });
  }

  #turnAway({ resolve, reject }: Entry, failure: AgentError): void {
    // The log's own are made again when they can be written.
    if (resolve !== null) this.#turnedAway += 1;
    reject?.(failure);
  }
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on that file system',
  EDQUOT: "raise the quota of the agent's user, or free space",
  EFBIG: 'raise the limit on the size of files',
  EROFS: 'mount that file system for writing',
  EIO: 'look after that disk',
};

function unavailable(message: string): AgentError {
  return new AgentError('audit_unavailable', message, {
    details: { retry_after_ms: retryAfter },
  });
}
