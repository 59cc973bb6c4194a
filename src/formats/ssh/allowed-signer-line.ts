import { blobOfLine, endOfOptions } from './public-key-line.ts';
import { parseSshTime } from './time.ts';
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
  const direct = blobOfLine(rest);
  if (direct !== null) return { publicKey: direct, ...none };
  const end = endOfOptions(rest);
  const publicKey = blobOfLine(rest.slice(end).replace(/^[ \t]+/, ''));
  if (publicKey === null) throw new SshFormatError('there is no key');
  return { publicKey, ...readOptions(rest.slice(0, end)) };
}

type Options = Omit<AllowedSigner, 'publicKey'>;
const none: Options = { isAuthority: false, namespaces: null, validAfter: null, validBefore: null };

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
  if (name === 'valid-after' && value !== undefined)
    return { validAfter: parseSshTime(name, value) };
  if (name === 'valid-before' && value !== undefined)
    return { validBefore: parseSshTime(name, value) };
  throw new SshFormatError(`option ${name} is not known, or not in this form`);
}
