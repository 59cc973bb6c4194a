import { decodeBase64 } from '../../base/base64.ts';
import { sshTypeOf } from './public-key.ts';
import { SshFormatError } from './wire.ts';

/** A line of an allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS), one character a byte of the file. */
export interface AllowedSigner {
  /** The key blob, of whatever kind. */
  readonly publicKey: Buffer;
  /** The key is an authority for certificates, and no signer itself. */
  readonly isAuthority: boolean;
  /** Pattern list; null for every namespace. */
  readonly namespaces: string | null;
  /** Milliseconds since the epoch, both inclusive; null where there is no such limit. */
  readonly validAfter: number | null;
  readonly validBefore: number | null;
}

/**
 * Whom a line is about, and what follows; null for empty lines and comments, and where nothing follows. A carriage
 * return within a line ends the principals in OpenSSH, and would hide what stands behind it here: nobody is allowed.
 */
export function principalsOf(line: string): { principals: string; rest: string } | null {
  const text = line.replace(/^[ \t]+/, '');
  if (text === '' || text.startsWith('#')) return null;
  const [whole, quoted, bare = ''] = /^(?:"([^"]*)"|([^ \t\r"]+))[ \t]+/.exec(text) ?? [];
  if (whole === undefined) return null;
  return { principals: quoted ?? bare, rest: text.slice(whole.length) };
}

/** What follows the principals: `[options] type base64 [comment]`. Throws SshFormatError. */
export function readAllowedSigner(rest: string): AllowedSigner {
  const direct = keyIn(rest);
  if (direct !== null) return { publicKey: direct, ...none };
  const end = endOfOptions(rest);
  const publicKey = keyIn(rest.slice(end).replace(/^[ \t]+/, ''));
  if (publicKey === null) throw new SshFormatError('there is no key');
  return { publicKey, ...readOptions(rest.slice(0, end)) };
}

type Options = Omit<AllowedSigner, 'publicKey'>;
const none: Options = { isAuthority: false, namespaces: null, validAfter: null, validBefore: null };

function keyIn(text: string): Buffer | null {
  const [type, encoded] = text.split(/[ \t]+/, 2);
  const blob = decodeBase64(encoded ?? '');
  return blob !== null && sshTypeOf(blob) === type ? blob : null;
}

/** Options end at the first space that stands in no quotes. */
function endOfOptions(text: string): number {
  let isQuoted = false;
  let at = 0;
  while (at < text.length && (isQuoted || !/[ \t]/.test(text.charAt(at)))) {
    if (text.startsWith('\\"', at)) at += 1;
    else if (text[at] === '"') isQuoted = !isQuoted;
    at += 1;
  }
  if (isQuoted) throw new SshFormatError('a quote is not closed');
  return at;
}

/** `name` or `name="value"`, where `\"` is a quote. */
const option = /^([a-z-]+)(?:="((?:[^"\\]|\\"|\\(?!"))*)")?(,|$)/i;

function readOptions(text: string): Options {
  let options = none;
  const seen = new Set<string>();
  for (let rest = text; rest !== '';) {
    const [whole = '', written = '', value, after] = option.exec(rest) ?? [];
    const name = written.toLowerCase();
    rest = rest.slice(whole.length);
    if (whole === '' || (after === ',' && rest === '')) {
      throw new SshFormatError('its options cannot be read');
    }
    if (seen.has(name)) throw new SshFormatError(`option ${name} is there twice`);
    seen.add(name);
    options = { ...options, ...readOption(name, value?.replaceAll('\\"', '"')) };
  }
  const { validAfter, validBefore } = options;
  if (validAfter !== null && validBefore !== null && validBefore <= validAfter) {
    throw new SshFormatError('valid-before is not behind valid-after');
  }
  return options;
}

/** One that is not known is refused: it may forbid something. */
function readOption(name: string, value: string | undefined): Partial<Options> {
  if (name === 'cert-authority' && value === undefined) return { isAuthority: true };
  if (name === 'namespaces' && value !== undefined) return { namespaces: value };
  if (name === 'valid-after' && value !== undefined) return { validAfter: timeOf(name, value) };
  if (name === 'valid-before' && value !== undefined) return { validBefore: timeOf(name, value) };
  throw new SshFormatError(`option ${name} is not known, or not in this form`);
}

const time = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(z)?$/i;

/**
 * `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in UTC with a `Z` behind it, else by the clock on this machine's wall. (ssh-keygen
 * itself leaves out summer time: there such a time is an hour later.)
 */
function timeOf(name: string, text: string): number {
  const match = time.exec(text);
  if (match === null) throw new SshFormatError(`${name} is no time: YYYYMMDD[HHMM[SS]][Z]`);
  const field = (at: number): number => Number(match[at] ?? '0');
  const [year, month, day] = [field(1), field(2) - 1, field(3)];
  const [hour, minute, second] = [field(4), field(5), field(6)];
  const written = new Date(Date.UTC(year, month, day));
  const isDay = written.getUTCMonth() === month && written.getUTCDate() === day;
  if (!isDay || hour > 23 || minute > 59 || second > 60) {
    throw new SshFormatError(`${name} is no time that there is`);
  }
  const ms =
    match[7] === undefined
      ? new Date(year, month, day, hour, minute, second).getTime()
      : Date.UTC(year, month, day, hour, minute, second);
  // To ssh-keygen the epoch itself is no time: it would stand for no limit.
  if (ms <= 0) throw new SshFormatError(`${name} is no time that there is`);
  return ms;
}
