import { hash } from 'node:crypto';
import { scopes, type Scope } from '../../api/principal.ts';

/**
 * The audit log's records (format version 1): one line of compact JSON each, in UTF-8, its members in the order of
 * {@link AuditRecord}, ended by a newline that is not part of it. A record has one spelling: a line that says the same
 * in other bytes is none.
 */

/**
 * What a record is of. `operation`: of a caller, or of the agent by its schedule. The others are the log's own:
 * `started` and `stopped` with the agent; `closed` ends a file, `continued` begins the next one; `repaired`: a torn
 * last line was cut off; `resumed`: writing works again after it failed; `checkpoint`: what went before is vouched for.
 */
export const auditEventNames = [
  'operation',
  'started',
  'stopped',
  'closed',
  'continued',
  'repaired',
  'resumed',
  'checkpoint',
] as const;
export type AuditEventName = (typeof auditEventNames)[number];

/** `begun`: a change is about to be made; another record with `of` says how it ended. */
export const auditOutcomes = ['begun', 'done', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/**
 * Who; everything null where the agent acts by itself. Of a caller that is no process of this machine, only `scope`
 * and `api_key` are known: one of them is not null.
 */
export interface AuditWho {
  readonly event: AuditEventName;
  readonly uid: number | null;
  readonly pid: number | null;
  /** Login name. */
  readonly user: string | null;
  /** Id of the API key. */
  readonly api_key: string | null;
  /** Path of the calling program. Best effort: nothing vouches for it. */
  readonly exe_best_effort: string | null;
  readonly scope: Scope | null;
}

/** What, and what became of it; everything null or empty where it does not apply. */
export interface AuditWhat {
  readonly method: string | null;
  readonly keyring: string | null;
  readonly kid: string | null;
  /** What else it was about: an API key, a client key. */
  readonly subject: string | null;
  /** SHA-256 of each message that was to be signed, lowercase hex; empty where there was none. */
  readonly message_sha256: readonly string[];
  /** Null: an event of the log itself. */
  readonly outcome: AuditOutcome | null;
  /** Error kind of a refusal or a failure. */
  readonly kind: string | null;
  readonly reason: string | null;
  /** `seq` of the record `begun` that this one ends. */
  readonly of: number | null;
  /** How many further equal refusals it stands for; of `resumed`: operations that were refused meanwhile. */
  readonly repeated: number | null;
}

export interface AuditRecord extends AuditWho, AuditWhat {
  readonly v: 1;
  /** From 1, over all files, without gaps. */
  readonly seq: number;
  /** RFC 3339 in UTC, with milliseconds. */
  readonly time: string;
  /** Of signed events, and always of them: kid of the key that signed. Null: it is not signed, `reason` says why. */
  readonly signer?: string | null;
  /** Base64url of 64 bytes, over {@link signedBytes}; empty where `signer` is null. */
  readonly signature?: string;
  /** SHA-256 of the line before, lowercase hex; {@link noLine} in the first record of a chain. */
  readonly prev: string;
}

/** `prev` of the first record of a chain. */
export const noLine = '0'.repeat(64);

/** Whether records of that event carry `signer` and `signature`. */
export function isSigned(event: AuditEventName): boolean {
  return event !== 'operation' && event !== 'continued';
}

/** SHA-256 of a whole line without its newline, lowercase hex: `prev` of the next record. */
export function hashOfLine(line: string | Uint8Array): string {
  return hash('sha256', line, 'hex');
}

/** The line of a record, without a newline. */
export function recordLine(record: AuditRecord): string {
  const { seq, time, signer, signature, prev } = record;
  const signed =
    signer === undefined ? '' : `,"signer":${orNull(signer)},"signature":"${signature ?? ''}"`;
  return lineOf(seq, time, `${whoText(record)},${whatText(record)}${signed}`, prev);
}

/** What every message begins with that the log has signed; nobody else has such a one signed. */
export const signaturePrefix = 'signing-agent/audit/v1\n';

/** What the signature of a record is over. */
export function signedBytes(record: AuditRecord): Buffer {
  return Buffer.from(signaturePrefix + recordLine({ ...record, signature: '' }), 'utf8');
}

/** A line of what does not depend on its place, and its place. `body`: `whoText`, a comma, `whatText`. */
export function lineOf(seq: number, time: string, body: string, prev: string): string {
  return `{"v":1,"seq":${seq},"time":"${time}",${body},"prev":"${prev}"}`;
}

export function whoText({ event, uid, pid, scope, ...who }: AuditWho): string {
  return (
    `"event":"${event}","uid":${uid},"pid":${pid},"user":${orNull(who.user)},` +
    `"api_key":${orNull(who.api_key)},"exe_best_effort":${orNull(who.exe_best_effort)},` +
    `"scope":${orNull(scope)}`
  );
}

export function whatText(what: AuditWhat): string {
  return whatBegins(what) + hashesText(what.message_sha256) + whatEnds(what);
}

/** Of `whatText` what stands before the messages. */
export function whatBegins(
  what: Pick<AuditWhat, 'method' | 'keyring' | 'kid' | 'subject'>,
): string {
  return (
    `"method":${orNull(what.method)},"keyring":${orNull(what.keyring)},"kid":${orNull(what.kid)},` +
    `"subject":${orNull(what.subject)},"message_sha256":`
  );
}

/** Of lowercase hex. */
export function hashesText(hashes: readonly string[]): string {
  return hashes.length === 0 ? '[]' : `["${hashes.join('","')}"]`;
}

/** Of `whatText` what stands behind the messages. */
export function whatEnds(
  what: Pick<AuditWhat, 'outcome' | 'kind' | 'reason' | 'of' | 'repeated'>,
): string {
  return (
    `,"outcome":${orNull(what.outcome)},"kind":${orNull(what.kind)},"reason":${orNull(what.reason)},` +
    `"of":${what.of},"repeated":${what.repeated}`
  );
}

function orNull(text: string | null): string {
  return text === null ? 'null' : JSON.stringify(text);
}

/** Why a line is no record: ends the sentence "the line ...". */
export interface RecordFault {
  readonly fault: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a line, without its newline. Never throws. */
export function parseRecord(line: string | Uint8Array): AuditRecord | RecordFault {
  const text = typeof line === 'string' ? line : decoded(line);
  if (text === null) return { fault: 'is not UTF-8' };
  const value = parsed(text);
  if (value === null) return { fault: 'is not a JSON object' };
  if (value['v'] !== 1) return { fault: 'is of a version that is not known here' };
  const wrong = Object.keys(checks).find((name) => checks[name]?.(value[name]) !== true);
  if (wrong !== undefined) return { fault: `has no valid ${JSON.stringify(wrong)}` };
  const record = value as unknown as AuditRecord;
  if (!isSignatureOf(record)) return { fault: 'has no valid "signer" and "signature"' };
  if (recordLine(record) !== text) {
    return { fault: 'is not spelled as a record is: its members, their order or its spaces' };
  }
  return record;
}

function decoded(line: Uint8Array): string | null {
  try {
    return utf8.decode(line);
  } catch {
    return null;
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}

function isSignatureOf({ event, signer, signature }: AuditRecord): boolean {
  if (!isSigned(event)) return signer === undefined && signature === undefined;
  if (signer === null) return signature === '';
  // 64 bytes leave two bits of the last character unused: zeros, so that there is one spelling.
  return kid(signer) && typeof signature === 'string' && /^[\w-]{85}[AQgw]$/.test(signature);
}

type Check = (value: unknown) => boolean;

const nullOr =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const isText: Check = (value) => typeof value === 'string';
const isOneOf =
  (values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string);
const isCount =
  (least: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least;
const matches =
  (form: RegExp): Check =>
  (value) =>
    typeof value === 'string' && form.test(value);
const hex64 = matches(/^[0-9a-f]{64}$/);
const kid = matches(/^[0-9a-f]{8}$/);
const isTime: Check = (value) =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) &&
  !Number.isNaN(Date.parse(value));

/** Member → what it may be. */
const checks: Readonly<Record<string, Check>> = {
  seq: isCount(1),
  time: isTime,
  event: isOneOf(auditEventNames),
  uid: nullOr(isCount(0)),
  pid: nullOr(isCount(0)),
  user: nullOr(isText),
  api_key: nullOr(isText),
  exe_best_effort: nullOr(isText),
  scope: nullOr(isOneOf(scopes)),
  method: nullOr(isText),
  keyring: nullOr(isText),
  kid: nullOr(isText),
  subject: nullOr(isText),
  message_sha256: (value) => Array.isArray(value) && value.every(hex64),
  outcome: nullOr(isOneOf(auditOutcomes)),
  kind: nullOr(isText),
  reason: nullOr(isText),
  of: nullOr(isCount(1)),
  repeated: nullOr(isCount(0)),
  prev: hex64,
};
