import { formatTime } from '../base/rfc3339.ts';
import type { LinesFile } from './append-file.ts';
import { Draft, type ChainHead } from './chain/chain.ts';
import type { Entry, LogEvent } from './entry.ts';
import { isSigned, recordLine, whatText, whoText, type AuditRecord } from './chain/record.ts';
import type { RecordSigner } from './record-signer.ts';

/** So many records may stand behind the last signed one. */
const mostUnsigned = 10_000;

export interface ChainWriterParts {
  readonly head: ChainHead;
  /** Number of the file that is written first. */
  readonly number: number;
  /** It is a new one, and goes on from the one before. */
  readonly needsHead: boolean;
  readonly maxFileBytes: number;
  /** `isFirst`: the one that the log was opened with. */
  readonly openFile: (number: number, isFirst: boolean) => LinesFile;
  readonly signer: Pick<RecordSigner, 'sign' | 'isReady'>;
  /** Records up to that one are on disk, and nobody was told so yet. */
  readonly written: (head: ChainHead) => void;
  readonly now: () => number;
}

/** Writes records behind each other, and one file behind the other. One call at a time. */
export class ChainWriter {
  readonly #parts: ChainWriterParts;
  #head: ChainHead;
  #number: number;
  #file: LinesFile;
  #needsHead: boolean;
  /** Records behind the last signed one, on disk. */
  #unsigned = 0;
  #time = { ms: NaN, text: '' };

  constructor(parts: ChainWriterParts) {
    this.#parts = parts;
    this.#head = parts.head;
    this.#number = parts.number;
    this.#needsHead = parts.needsHead;
    this.#file = parts.openFile(parts.number, true);
  }

  /** Of the last record on disk. */
  get head(): ChainHead {
    return this.#head;
  }

  get path(): string {
    return this.#file.path;
  }

  get unsigned(): number {
    return this.#unsigned;
  }

  /**
   * Puts the first of these records, as many as the file takes, on disk together, and answers their sequence numbers.
   * Rejects as `LinesFile.append` does; then none of them is there. `isUrgent`: they may take the space held in reserve.
   */
  async write(entries: readonly Entry[], isUrgent = false): Promise<readonly number[]> {
    const { maxFileBytes } = this.#parts;
    const draft = new Draft(this.#head);
    const numbers: number[] = [];
    let signedAt = this.#head.seq - this.#unsigned;
    const addEvent = async (event: LogEvent, time: number): Promise<void> => {
      if (await this.#addEvent(draft, event, time)) signedAt = draft.seq;
    };
    if (this.#needsHead) await addEvent(silent('continued'), this.#parts.now());
    const isFull = (): boolean => this.#file.size + draft.length >= maxFileBytes;
    for (const { time, body } of entries) {
      if (typeof body === 'string') draft.add(this.#timeText(time), body);
      else await addEvent(body, time);
      numbers.push(draft.seq);
      if (isFull()) break;
      if (draft.seq - signedAt >= mostUnsigned && this.#parts.signer.isReady) {
        await addEvent(silent('checkpoint'), this.#parts.now());
      }
    }
    const closes = isFull() && this.#file.secureNext();
    if (closes) await addEvent(silent('closed'), this.#parts.now());
    await this.#file.append(Buffer.from(draft.text, 'utf8'), isUrgent);
    this.#head = draft.head;
    this.#parts.written(this.#head);
    this.#unsigned = this.#head.seq - signedAt;
    this.#needsHead = closes;
    if (closes) this.#beginFile();
    return numbers;
  }

  close(): void {
    this.#file.close();
  }

  #beginFile(): void {
    this.#file.close(true);
    this.#number += 1;
    this.#file = this.#parts.openFile(this.#number, false);
  }

  /** Answers whether it is signed. */
  async #addEvent(draft: Draft, logged: LogEvent, time: number): Promise<boolean> {
    const { head } = draft;
    const { event, reason, repeated } = logged;
    const record: AuditRecord = {
      v: 1,
      seq: head.seq + 1,
      time: this.#timeText(time),
      ...nobody,
      event,
      ...nothing,
      reason,
      repeated,
      prev: head.hash,
    };
    if (!isSigned(event)) {
      draft.add(record.time, `${whoText(record)},${whatText(record)}`);
      return false;
    }
    const signed = await this.#parts.signer.sign(record);
    draft.addLine(recordLine(signed));
    return signed.signer !== null;
  }

  /** Many records are of the same millisecond. */
  #timeText(ms: number): string {
    if (this.#time.ms !== ms) this.#time = { ms, text: formatTime(ms) };
    return this.#time.text;
  }
}

function silent(event: LogEvent['event']): LogEvent {
  return { event, reason: null, repeated: null };
}

const nobody = {
  uid: null,
  pid: null,
  user: null,
  api_key: null,
  exe_best_effort: null,
  scope: null,
} as const;
const nothing = {
  method: null,
  keyring: null,
  kid: null,
  subject: null,
  message_sha256: [],
  outcome: null,
  kind: null,
  of: null,
} as const;
