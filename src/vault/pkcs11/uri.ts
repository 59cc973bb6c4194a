import { isUtf8 } from 'node:buffer';
import { AgentError } from '../../base/errors.ts';

/**
 * A PKCS#11 URI (RFC 7512), decoded: which token, through which module, with which PIN. An attribute that the
 * URI does not have is null and restricts nothing. There is no slot: slot numbers change from one start to
 * the next (SoftHSM derives them from the serial, readers from the order of plugging in).
 */
export interface Pkcs11Uri {
  /** CKA_LABEL of the token as set when it was initialised. */
  readonly token: string | null;
  readonly serial: string | null;
  readonly manufacturer: string | null;
  readonly model: string | null;
  /** Label of the keyring's keys, in place of `signing-agent/<keyring>`. */
  readonly object: string | null;
  /** CKA_ID, the one attribute that is bytes and not text (RFC 7512, 2.3). */
  readonly id: Buffer | null;
  /** Absolute path of the shared library. */
  readonly modulePath: string | null;
  /** Name of the library without directory, `lib` and `.so`. */
  readonly moduleName: string | null;
  /** Absolute path of the file that holds the PIN. */
  readonly pinSource: string | null;
}

/** CKA_LABEL of a keyring's keys in its token. */
export function keyLabel(keyring: string, uri: Pick<Pkcs11Uri, 'object'> | null): string {
  return uri?.object ?? `signing-agent/${keyring}`;
}

const pathAttributes = ['token', 'serial', 'manufacturer', 'model', 'object', 'id'];
const queryAttributes = ['module-path', 'module-name', 'pin-source'];
const scheme = 'pkcs11:';

/**
 * Parses `pkcs11:` path attributes, then `?` and query attributes (RFC 7512, 2.3). Stricter than the RFC:
 * an attribute that this agent would have to ignore is refused, since an ignored one widens what the URI
 * names. Wider in one point: `/` may stand unencoded in the path part.
 *
 * Throws `invalid_params`. No message repeats a value: someone may have written a PIN into it.
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (text.slice(0, scheme.length).toLowerCase() !== scheme) {
    throw invalid(`a PKCS#11 URI starts with "${scheme}"`);
  }
  const body = text.slice(scheme.length);
  const mark = body.indexOf('?');
  const path = readAttributes(mark < 0 ? body : body.slice(0, mark), ';', 'path');
  const query = readAttributes(mark < 0 ? '' : body.slice(mark + 1), '&', 'query');
  const uri = {
    token: textOf(path, 'token'),
    serial: textOf(path, 'serial'),
    manufacturer: textOf(path, 'manufacturer'),
    model: textOf(path, 'model'),
    object: textOf(path, 'object'),
    id: path.get('id') ?? null,
    modulePath: textOf(query, 'module-path'),
    moduleName: textOf(query, 'module-name'),
    pinSource: pinSourceOf(textOf(query, 'pin-source')),
  };
  checkModule(uri.modulePath, uri.moduleName);
  return uri;
}

type Part = 'path' | 'query';

function readAttributes(text: string, separator: ';' | '&', part: Part): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  if (text === '') return attributes;
  for (const attribute of text.split(separator)) {
    const equals = attribute.indexOf('=');
    const name = attribute.slice(0, Math.max(equals, 0));
    if (!/^[A-Za-z0-9_-]+$/.test(name)) {
      throw invalid(`the ${part} part has an attribute that is not of the form name=value`);
    }
    checkName(name, part);
    if (attributes.has(name)) throw invalid(`"${name}" stands there twice`);
    const value = percentDecode(attribute.slice(equals + 1), name);
    if (value.length === 0) throw invalid(`"${name}" is empty; leave it out`);
    attributes.set(name, value);
  }
  return attributes;
}

function checkName(name: string, part: Part): void {
  if ((part === 'path' ? pathAttributes : queryAttributes).includes(name)) return;
  if (name === 'pin-value') {
    throw invalid(
      '"pin-value" would leave the PIN readable in the configuration: write the PIN into a file of mode ' +
        '0600 and name it with pin-source=file:/path (and change the PIN, it has been in the open)',
    );
  }
  if (name.startsWith('slot-')) {
    throw invalid(
      `"${name}" is refused: a token is found by its own attributes (token, serial, manufacturer, model), ` +
        'because slots are numbered anew',
    );
  }
  if (pathAttributes.includes(name)) throw invalid(`"${name}" belongs before the "?"`);
  if (queryAttributes.includes(name)) throw invalid(`"${name}" belongs behind the "?"`);
  const known = [...pathAttributes, ...queryAttributes].join(', ');
  throw invalid(`"${name}" is not supported; known are ${known}`);
}

/** What may stand unencoded: RFC 7512's pk11-pchar and pk11-qchar; the separators are split off before. */
const plain = /^[A-Za-z0-9\-._~:[\]@!$'()*+,=&/?|]$/;

function percentDecode(text: string, name: string): Buffer {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '%') {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) {
        throw invalid(`"${name}" has a "%" without two hex digits; a percent sign itself is %25`);
      }
      bytes.push(Number.parseInt(digits, 16));
      at += 2;
    } else if (plain.test(character)) {
      bytes.push(character.charCodeAt(0));
    } else {
      throw invalid(`"${name}" has a character that must be percent-encoded (a space is %20)`);
    }
  }
  return Buffer.from(bytes);
}

function textOf(attributes: Map<string, Buffer>, name: string): string | null {
  const bytes = attributes.get(name);
  if (bytes === undefined) return null;
  if (!isUtf8(bytes)) throw invalid(`"${name}" is not UTF-8`);
  // A NUL would end the text early in the C library, and so name something else than what is shown.
  if (bytes.includes(0)) throw invalid(`"${name}" contains a NUL byte`);
  return bytes.toString('utf8');
}

/** RFC 7512 allows any URI, even a command; here it is a file of this machine and nothing else. */
function pinSourceOf(value: string | null): string | null {
  if (value === null) return null;
  const path = /^(?:file:(?:\/\/)?)?(\/(?!\/).*)$/s.exec(value)?.[1];
  if (path === undefined) {
    throw invalid('"pin-source" must be an absolute path, or file: and an absolute path');
  }
  return path;
}

function checkModule(path: string | null, name: string | null): void {
  if (path !== null && name !== null) {
    throw invalid('"module-path" and "module-name" both name the module; keep one');
  }
  if (path !== null && !path.startsWith('/'))
    throw invalid('"module-path" must be an absolute path');
  if (name !== null && !/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name)) {
    throw invalid('"module-name" is the name of a library, without directory, "lib" and ".so"');
  }
}

function invalid(problem: string): AgentError {
  return new AgentError('invalid_params', `PKCS#11 URI: ${problem}`);
}
