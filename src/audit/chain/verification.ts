import { BegunChanges } from './begun-changes.ts';
import { endFault, numberFault, placeFault, startFault } from './chain-rules.ts';
import { hashOfLine, parseRecord, type AuditRecord } from './record.ts';
import { signatureOf, type SignatureFinding, type VerifyingKey } from './record-signature.ts';
import { Remarks } from './remarks.ts';
import type { Head, Place, Problem, Verdict } from './verdict.ts';

export interface Trust {
  /** By key id. */
  readonly keys: ReadonlyMap<string, VerifyingKey>;
  /** A record that was the last one once, and must still be there; null: none is known. */
  readonly head: Head | null;
}

/** What may follow, or is just being written: that the chain ends in order is not asked for. */
export type EndOfChain = 'final' | 'open';

/** A record that was read, and what was found of it. */
interface Seen extends Place {
  readonly event: AuditRecord['event'];
  /** Its signature is good, so that nothing of it was changed. */
  readonly isVouchedFor: boolean;
  /** A problem of it was told. */
  readonly isBad: boolean;
}

/** A record that does not follow the one before. Which of the two was changed, the one behind them tells. */
interface BrokenLink {
  readonly before: Place;
  readonly after: Place;
  readonly prev: string;
}

const mostProblems = 100;

/**
 * Verifies a chain as its files are read: `beginFile`, then each line, and in the end `finish`. What is held does not
 * grow with the files. After a problem it goes on from what it found.
 */
export class ChainVerification {
  readonly #trust: Trust;
  #files = 0;
  #file = '';
  #line = 0;
  #isFirstOfFile = false;
  #records = 0;
  #first: Place | null = null;
  #last: Seen | null = null;
  /** The line before was no record: what this one has to follow is not known. */
  #lost = false;
  #brokenLink: BrokenLink | null = null;
  /** The last record before the first problem, and the one before it. */
  #head: Place | null = null;
  #beforeHead: Place | null = null;
  #signedThrough: number | null = null;
  #headWasSeen = false;
  #begun = new BegunChanges(0);
  readonly #signers = new Set<string>();
  readonly #problems: Problem[] = [];
  #problemCount = 0;
  readonly #remarks = new Remarks();

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  beginFile(name: string): void {
    this.#files += 1;
    this.#file = name;
    this.#line = 0;
    this.#isFirstOfFile = true;
  }

  /** The next line of the file, without its newline. */
  take(line: Uint8Array): void {
    this.#line += 1;
    const record = parseRecord(line);
    if ('fault' in record) {
      this.#unreadable(`the line ${record.fault}`);
      return;
    }
    const wasTold = this.#settleLink(record);
    const { seq, time, event } = record;
    const place = { file: this.#file, line: this.#line, seq, time, hash: hashOfLine(line) };
    const found = signatureOf(record, this.#trust.keys);
    const fault = this.#faultOf(record, place, found, wasTold);
    if (fault !== null) this.#report(fault, place);
    this.#remarks.observe(record, this.#last?.time ?? null);
    const isVouchedFor = found.signature === 'good';
    this.#goOnFrom({ ...place, event, isVouchedFor, isBad: fault !== null });
    if (found.signature === 'good') this.#signers.add(found.signer);
  }

  /** The file ends in so many bytes without a newline. `beingWritten`: nothing is wrong with that. */
  takeTorn(bytes: number, beingWritten: boolean): void {
    this.#line += 1;
    const torn = `the last line is torn: ${bytes} bytes without a newline`;
    if (beingWritten) {
      this.#remarks.add(`${this.#file} line ${this.#line}: ${torn}, which are not looked at`);
      return;
    }
    this.#unreadable(`${torn}; an agent that is started cuts them off, and records that`);
  }

  /** A line has more than `limit` bytes; what follows it in its file is not known. */
  takeTooLong(limit: number): void {
    this.#line += 1;
    this.#unreadable(`the line has more than ${limit} bytes, and no record has`);
  }

  finish(end: EndOfChain): Verdict {
    this.#settleLink(null);
    if (this.#problemCount === 0) this.#checkEnd(end);
    const last = this.#last?.seq ?? 0;
    const signedThrough = this.#signedThrough;
    return {
      valid: this.#problemCount === 0,
      files: this.#files,
      records: this.#records,
      first: this.#first,
      last: this.#last,
      head: this.#head,
      signedThrough,
      unsignedTail: signedThrough === null ? this.#records : Math.max(0, last - signedThrough),
      signers: [...this.#signers],
      problems: this.#problems,
      problemCount: this.#problemCount,
      warnings: [...this.#remarks.list, ...this.#begun.remarks],
    };
  }

  /** The first thing that is wrong with a record; null where nothing is, or where another one is to blame. */
  #faultOf(
    record: AuditRecord,
    place: Place,
    found: SignatureFinding,
    wasTold: boolean,
  ): string | null {
    if (this.#first === null) this.#begun = new BegunChanges(record.seq - 1);
    const last = this.#lost ? null : this.#last;
    const before = { last, isFirstOfFile: this.#isFirstOfFile };
    const number = this.#first === null ? startFault(record) : numberFault(record, before);
    const others = [
      this.#lost ? null : placeFault(record, before),
      this.#begun.take(record),
      this.#headFault(place),
      found.signature === 'bad' ? found.fault : null,
    ];
    if (number !== null) return number;
    if (last !== null && !last.isBad && !wasTold && record.prev !== last.hash) {
      return this.#linkFault(last, { before: last, after: place, prev: record.prev }, found);
    }
    return others.find((fault) => fault !== null) ?? null;
  }

  #linkFault(last: Seen, link: BrokenLink, found: SignatureFinding): string | null {
    if (found.signature === 'bad') return found.fault;
    if (last.isVouchedFor) return otherPrev(link);
    if (found.signature === 'good') this.#reportBefore(link, 'it was changed');
    else this.#brokenLink = link;
    return null;
  }

  /**
   * `next`: the record behind a broken link, which holds the hash of the link's second record as it once was; null: there
   * is none. Answers whether what is wrong with that hash was told here.
   */
  #settleLink(next: AuditRecord | null): boolean {
    const link = this.#brokenLink;
    if (link === null) return false;
    this.#brokenLink = null;
    if (next?.seq !== link.after.seq + 1) {
      this.#reportBefore(link, 'one of the two was changed');
      return false;
    }
    const isSecondChanged = next.prev !== link.after.hash;
    if (isSecondChanged) this.#report(otherPrev(link), link.after);
    else this.#reportBefore(link, 'it was changed');
    return isSecondChanged;
  }

  #reportBefore({ before, after, prev }: BrokenLink, what: string): void {
    if (this.#problemCount === 0) this.#head = this.#beforeHead;
    const text = `its hash is ${before.hash}, but record ${after.seq} was written behind one with the hash ${prev}`;
    this.#report(`${text}: ${what}`, before);
  }

  #goOnFrom(seen: Seen): void {
    this.#records += 1;
    this.#first ??= seen;
    this.#last = seen;
    this.#lost = false;
    this.#isFirstOfFile = false;
    if (this.#problemCount > 0 || this.#brokenLink !== null) return;
    this.#beforeHead = this.#head;
    this.#head = seen;
    if (seen.isVouchedFor) this.#signedThrough = seen.seq;
  }

  #headFault({ seq, hash }: Place): string | null {
    const { head } = this.#trust;
    if (head?.seq !== seq) return null;
    this.#headWasSeen = true;
    if (head.hash === hash) return null;
    return `its hash was ${head.hash} once, and now is ${hash}: the chain was written anew`;
  }

  #checkEnd(end: EndOfChain): void {
    const last = this.#last;
    if (last === null) {
      this.#report('there is no record', { file: this.#file, line: null, seq: null });
      return;
    }
    const fault = endFault(last, this.#signedThrough, end);
    if (fault !== null) this.#report(fault, last);
    else if (last.event === 'closed') {
      this.#remarks.add('the last file was closed when it was full: what followed is not here');
    }
    const { head } = this.#trust;
    if (head === null || this.#headWasSeen) return;
    this.#report(
      last.seq < head.seq
        ? `record ${head.seq} was there once, but this is the last one: the end was cut off`
        : `record ${head.seq} is to be looked for, but these files begin after it`,
      last,
    );
  }

  #unreadable(problem: string): void {
    this.#settleLink(null);
    this.#report(problem, { file: this.#file, line: this.#line, seq: null });
    this.#lost = true;
    this.#isFirstOfFile = false;
  }

  #report(problem: string, { file, line, seq }: Omit<Problem, 'problem'>): void {
    this.#problemCount += 1;
    if (this.#problems.length < mostProblems) this.#problems.push({ file, line, seq, problem });
  }
}

function otherPrev({ before, prev }: BrokenLink): string {
  return `prev is ${prev}, but record ${before.seq} has the hash ${before.hash}: it was changed, or is of another chain`;
}
