import { AgentError } from '../base/errors.ts';
import type { World } from '../base/world.ts';
import type { Audit, AuditEvent } from './audit.ts';
import type { AuditStatus } from '../api/status.ts';
import type { ChainWriter } from './chain-writer.ts';
import { logEntry, type Entry, type LogEvent } from './entry.ts';
import { OperationText } from './operation-text.ts';
import { RecordQueue } from './record-queue.ts';
import type { RecordSigner } from './record-signer.ts';
import { RecordFolding } from './record-folding.ts';

/** How often it is looked whether there are folded records to write, milliseconds. */
const foldingInterval = 1000;
/** No record stays without a signature behind it for longer, milliseconds. */
const longestUnsigned = 600_000;
/** How long the end of changes under way is waited for when the log is closed, milliseconds. */
const longestWait = 1000;

export interface AuditLogParts {
  readonly dir: string;
  readonly durable: boolean;
  /** What was repaired when the log was opened: recorded first of all. */
  readonly repaired: string | null;
  readonly writer: ChainWriter;
  readonly signer: Pick<RecordSigner, 'isReady'>;
  readonly world: Pick<World, 'now' | 'monotonicNow' | 'schedule' | 'pause' | 'log'>;
}

/** The audit log on disk. */
export class AuditLog implements Audit {
  readonly isOn = true;
  readonly #parts: AuditLogParts;
  readonly #queue: RecordQueue;
  readonly #text = new OperationText();
  readonly #folding = new RecordFolding();
  /** Sequence numbers of changes whose end is not recorded yet. */
  readonly #begun = new Set<number>();
  #noneBegun: (() => void) | null = null;
  #isStarted = false;
  #stage: 'open' | 'stopping' | 'closed' = 'open';
  #foldingTimer: (() => void) | null = null;
  #unsignedTimer: (() => void) | null = null;

  constructor(parts: AuditLogParts) {
    const { dir, writer, world } = parts;
    this.#parts = parts;
    const written = this.#watchUnsigned.bind(this);
    this.#queue = new RecordQueue({ dir, writer, world, written });
  }

  /**
   * The keyrings are open. Writes `started`, or a signature behind it where something had to be recorded before.
   * Where that cannot be, it is written as soon as it can.
   */
  async start(): Promise<void> {
    const { writer, signer } = this.#parts;
    if (!this.#isStarted) this.#pushStarted();
    else if (writer.unsigned > 0 && signer.isReady) this.#say('checkpoint');
    await this.#queue.idle();
  }

  requireReady(): void {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
  }

  record(event: AuditEvent): Promise<number> {
    const isUrgent = event.isUrgent === true;
    const refusal = this.#refusal(isUrgent);
    if (refusal !== null) return Promise.reject(refusal);
    if ((event.outcome === 'refused' || event.repeats === 'folded') && this.#fold(event)) {
      return Promise.resolve(this.#parts.writer.head.seq);
    }
    const time = this.#parts.world.now();
    const body = this.#text.of(event);
    const written = new Promise<number>((resolve, reject) => {
      this.#push({ time, body, isMandatory: false, isUrgent, resolve, reject });
    });
    return event.outcome === 'begun' ? this.#noteBegun(written) : written;
  }

  recordSurely(event: AuditEvent): Promise<void> {
    const time = this.#parts.world.now();
    const body = this.#text.of(event);
    if (this.#stage === 'closed') {
      this.#lose(body);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const written = (): void => {
        resolve();
      };
      const isUrgent = event.isUrgent === true;
      this.#push({ time, body, isMandatory: true, isUrgent, resolve: written, reject: null });
      if (event.of !== null) this.#noteEnded(event.of);
    });
  }

  status(): AuditStatus {
    const { durable, writer } = this.#parts;
    const { seq } = writer.head;
    return {
      enabled: true,
      fsync: durable,
      health: this.#queue.isAvailable ? 'ok' : 'unavailable',
      last_seq: seq === 0 ? null : seq,
      file: writer.path,
      last_error: this.#queue.lastError,
    };
  }

  /**
   * Takes no more operations, waits a moment for the end of changes under way, writes what must be written and `stopped`, and
   * closes. What must be written and cannot be written goes into the agent's log.
   */
  async stop(): Promise<void> {
    if (this.#stage !== 'open') return;
    this.#stage = 'stopping';
    if (this.#begun.size > 0) {
      const ended = new Promise<void>((resolve) => (this.#noneBegun = resolve));
      await Promise.race([ended, this.#parts.world.pause(longestWait)]);
    }
    if (this.#queue.isAvailable) this.#writeFolded(Infinity);
    const lost = await this.#queue.finish();
    if (this.#queue.isAvailable && this.#isStarted) {
      this.#say('stopped');
      await this.#queue.idle();
    }
    this.#stage = 'closed';
    this.#foldingTimer?.();
    this.#unsignedTimer?.();
    for (const { body } of lost) this.#lose(body);
    this.#parts.writer.close();
  }

  /** What is urgent is tried even where nothing else can be written. */
  #refusal(isUrgent = false): AgentError | null {
    if (this.#stage !== 'open') return new AgentError('shutting_down', 'the agent stops');
    return isUrgent ? null : this.#queue.refusal();
  }

  #push(entry: Entry): void {
    if (!this.#isStarted) this.#pushStarted();
    this.#queue.push(entry);
  }

  /** First of all in a life of the agent, whatever it is that has to be recorded. */
  #pushStarted(): void {
    this.#isStarted = true;
    const { repaired, world } = this.#parts;
    const always = { isMandatory: true };
    if (repaired !== null) {
      const event: LogEvent = { event: 'repaired', reason: repaired, repeated: null };
      this.#queue.push(logEntry(world.now(), event, always));
    }
    const started: LogEvent = { event: 'started', reason: null, repeated: null };
    this.#queue.push(logEntry(world.now(), started, always));
  }

  #say(event: 'checkpoint' | 'stopped'): void {
    this.#queue.push(logEntry(this.#parts.world.now(), { event, reason: null, repeated: null }));
  }

  async #noteBegun(written: Promise<number>): Promise<number> {
    const seq = await written;
    this.#begun.add(seq);
    return seq;
  }

  #noteEnded(seq: number): void {
    this.#begun.delete(seq);
    if (this.#begun.size === 0) this.#noneBegun?.();
  }

  /** Whether it is counted instead of written. */
  #fold(event: AuditEvent): boolean {
    const now = this.#parts.world.monotonicNow();
    this.#writeFolded(now);
    const isFolded = this.#folding.fold(event, now);
    this.#scheduleFolded();
    return isFolded;
  }

  /** Looks for as long as something is counted: whoever was refused may never come back. */
  #scheduleFolded(): void {
    const { monotonicNow, schedule } = this.#parts.world;
    this.#foldingTimer ??= schedule(foldingInterval, () => {
      this.#foldingTimer = null;
      this.#writeFolded(monotonicNow());
      if (!this.#folding.isEmpty) this.#scheduleFolded();
    });
  }

  /** What cannot be written counts as turned away, with the `resumed` to come. */
  #writeFolded(now: number): void {
    const time = this.#parts.world.now();
    for (const { event, count } of this.#folding.close(now)) {
      const body = this.#text.of(event, count);
      const nobody = (): void => undefined;
      const entry = { time, body, isMandatory: false, isUrgent: false };
      this.#push({ ...entry, resolve: nobody, reject: nobody });
    }
  }

  /** Signs what is on disk before it is old. */
  #watchUnsigned(): void {
    const { writer, signer, world } = this.#parts;
    if (this.#stage !== 'open' || writer.unsigned === 0) {
      this.#unsignedTimer?.();
      this.#unsignedTimer = null;
      return;
    }
    this.#unsignedTimer ??= world.schedule(longestUnsigned, () => {
      this.#unsignedTimer = null;
      if (writer.unsigned > 0 && this.#queue.isAvailable && signer.isReady) this.#say('checkpoint');
      else this.#watchUnsigned();
    });
  }

  #lose(body: Entry['body']): void {
    const record: unknown = typeof body === 'string' ? JSON.parse(`{${body}}`) : body;
    this.#parts.world.log.error(
      { record },
      'the agent stops, and what it did could not be written to the audit log',
    );
  }
}
