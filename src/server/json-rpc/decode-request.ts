import { AgentError, quoted, type ErrorKind } from '../../base/errors.ts';
import { membersIn, writtenIn, type WrittenJson } from '../../base/json-members.ts';
import type { RequestId } from './answer.ts';

/** A JSON-RPC 2.0 request whose envelope was checked; its params are the method's to check. */
interface Request {
  readonly id: string | number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export type Decoded =
  { readonly request: Request } | { readonly id: RequestId; readonly refusal: AgentError };

/** Deeper than any request that there is; keeps the walk over a hostile document short. */
const maxDepth = 8;
/** Values of all kinds; more than any request has, claims of a JWT aside. */
const mostValues = 8192;
/** An id comes back with the answer: a client that does not read must not make long ones pile up. */
const longestId = 256;
const members = new Set(['jsonrpc', 'id', 'method', 'params']);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Decodes one frame (without its newline). Never throws. */
export function decodeRequest(frame: Uint8Array): Decoded {
  let written: WrittenJson;
  let document: unknown;
  try {
    const text = utf8.decode(frame);
    written = writtenIn(text, mostValues);
    if (written.values > mostValues) {
      return refuse(null, 'invalid_request', `a request has at most ${mostValues} values in all`);
    }
    document = JSON.parse(text);
  } catch {
    return refuse(null, 'parse_error', 'the line is not one JSON object in UTF-8');
  }
  if (Array.isArray(document)) {
    return refuse(null, 'invalid_request', 'batches are not supported: send a line a request');
  }
  if (!isObject(document)) {
    return refuse(null, 'invalid_request', 'a request is a JSON object');
  }
  const id = isId(document['id']) ? document['id'] : null;
  const names = membersIn(document, maxDepth);
  if (names === null) {
    return refuse(id, 'invalid_request', `a request is nested at most ${maxDepth} levels deep`);
  }
  if (names !== written.members) {
    return refuse(id, 'invalid_request', 'a member stands twice in the same object');
  }
  if (document['jsonrpc'] !== '2.0') {
    return refuse(id, 'invalid_request', 'jsonrpc must be "2.0"');
  }
  if (id === null) {
    return refuse(
      null,
      'invalid_request',
      `id must be a string of at most ${longestId} characters or a whole number (notifications are not supported)`,
    );
  }
  const { method, params = {} } = document;
  if (typeof method !== 'string') return refuse(id, 'invalid_request', 'method must be a string');
  const unknown = Object.keys(document).find((name) => !members.has(name));
  if (unknown !== undefined) {
    return refuse(id, 'invalid_request', `a request has no member ${quoted(unknown)}`);
  }
  if (!isObject(params)) {
    return refuse(id, 'invalid_params', 'params must be an object with named fields');
  }
  return { request: { id, method, params } };
}

function refuse(id: RequestId, kind: ErrorKind, message: string): Decoded {
  const details =
    kind === 'invalid_params' ? { issues: [{ field: 'params', message }] } : undefined;
  return { id, refusal: new AgentError(kind, message, details === undefined ? {} : { details }) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is string | number {
  return typeof value === 'string' ? value.length <= longestId : Number.isSafeInteger(value);
}
