import { hash } from 'node:crypto';
import type { Principal } from '../api/principal.ts';
import type { AuditEvent } from './audit.ts';
import { hashesText, whatBegins, whatEnds, whoText } from './chain/record.ts';

/** What callers may write as long as they like is cut there, in bytes of the record: what it names is not there anyway. */
const longestName = 100;
const longestPath = 200;
const longestReason = 1000;
/** Client keys that a backup is for: as many as one may name, since whoever is cut off has the keys all the same. */
const longestSubject = 1000;

/** Bytes of a UTF-16 unit as JSON has it. */
const longestCharacter = 6;

/** Of an operation what its text begins with, and that text. */
interface Begun extends Pick<AuditEvent, 'method' | 'keyring' | 'kid' | 'subject'> {
  readonly text: string;
}

/** How operations end that were done and say nothing else: nearly all. */
const justDone = { outcome: 'done', kind: null, reason: null, of: null, repeated: null } as const;
const justDoneText = whatEnds(justDone);

/** The text of operations as it stands in their records: all but the place in the chain. */
export class OperationText {
  /** A connection says the same of itself in every record. */
  readonly #who = new WeakMap<Principal, string>();
  /** Whoever signs much does so with one key. */
  #last: Begun | null = null;

  /** `repeated`: how many equal ones it stands for. */
  of(event: AuditEvent, repeated: number | null = null): string {
    const hashes = event.messages.map((message) => hash('sha256', message, 'hex'));
    const begins = this.#beginsOf(event);
    return `${this.#whoOf(event)},${begins}${hashesText(hashes)}${endsOf(event, repeated)}`;
  }

  #beginsOf({ method, keyring, kid, subject }: AuditEvent): string {
    const last = this.#last;
    const isSame = last?.method === method && last.keyring === keyring && last.kid === kid;
    if (isSame && last.subject === subject) return last.text;
    const text = whatBegins({
      ...{ method, kid },
      keyring: cut(keyring, longestName),
      subject: cut(subject, longestSubject),
    });
    this.#last = { method, keyring, kid, subject, text };
    return text;
  }

  #whoOf(event: AuditEvent): string {
    const { principal } = event;
    if (principal === null) return whoOf(event);
    let text = this.#who.get(principal);
    if (text === undefined) {
      text = whoOf(event);
      this.#who.set(principal, text);
    }
    return text;
  }
}

function endsOf({ outcome, kind, reason, of }: AuditEvent, repeated: number | null): string {
  const isJustDone = outcome === 'done' && kind === null && reason === null && of === null;
  if (isJustDone && repeated === null) return justDoneText;
  return whatEnds({ outcome, kind, reason: cut(reason, longestReason), of, repeated });
}

/** An API key that is accepted no more is named too: it was refused for that. */
function whoOf({ caller, principal }: AuditEvent): string {
  const claimed = principal === null ? caller?.credential?.id : principal.api_key;
  const process = caller?.peer.kind === 'process' ? caller.peer : null;
  return whoText({
    event: 'operation',
    uid: process?.uid ?? null,
    pid: process?.pid ?? null,
    user: process?.name ?? null,
    api_key: claimed ?? null,
    exe_best_effort: cut(process?.executable ?? null, longestPath),
    scope: principal?.scope ?? null,
  });
}

/** A control character takes six bytes of a record, and others up to four. */
function cut(text: string | null, most: number): string | null {
  if (text === null || text.length <= most / longestCharacter || sizeOf(text) <= most) return text;
  let size = sizeOf('…');
  let kept = '';
  for (const character of text) {
    size += sizeOf(character);
    if (size > most) break;
    kept += character;
  }
  return `${kept}…`;
}

/** As it stands between its quotation marks. */
function sizeOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
