import type { AgentError } from '../../base/errors.ts';
import { jsonText } from '../../base/json-text.ts';

/** JSON-RPC 2.0 answers as text, without the newline that ends a frame. */

/** A request's id; null where the request could not be read so far (JSON-RPC 2.0, section 5). */
export type RequestId = string | number | null;

export function resultAnswer(id: RequestId, result: unknown): string {
  const idText = typeof id === 'number' ? id : JSON.stringify(id);
  return `{"jsonrpc":"2.0","id":${idText},"result":${jsonText(result)}}`;
}

export function errorAnswer(id: RequestId, error: AgentError): string {
  const { code, message, kind, details } = error;
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    error: { code, message, data: { ...details, kind } },
  });
}
